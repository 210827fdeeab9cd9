"""`hmdiff serve`: a ROUTER that stays responsive and one worker process that computes (docs/protocol.md).

``app`` is the server, ``worker_process`` the worker seen from it, ``worker`` the worker itself, ``contract`` what the
two ask of a job function, ``jobs`` the real job. Nothing but ``jobs`` imports torch.
"""
