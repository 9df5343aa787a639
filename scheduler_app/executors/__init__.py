"""Who calls the bodies of queued runs: threads of the scheduler (`local`), or Celery workers that it rings for."""
