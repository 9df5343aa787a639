"""The site's own jobs, one file each; `project/scheduler_config.py` names them."""
