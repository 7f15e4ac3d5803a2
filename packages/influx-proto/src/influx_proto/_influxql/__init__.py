"""InfluxQL text: quoting, bind parameters, classification and clauses."""
