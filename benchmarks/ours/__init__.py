"""Runs in processes of the site: nothing here sets Django up for this suite or looks at its database."""
