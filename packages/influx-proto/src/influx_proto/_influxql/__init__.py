"""InfluxQL: quoting, bind parameters, classification and clauses."""
