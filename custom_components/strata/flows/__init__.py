"""The steps of Strata's forms."""
