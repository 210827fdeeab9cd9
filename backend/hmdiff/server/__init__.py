"""`hmdiff serve`: a ROUTER that stays responsive and worker processes that compute (docs/protocol.md).

``program`` starts and ends it, ``app`` is the loop, ``requests`` what each message of a client sets in motion.
``job_queue`` gives jobs to workers, ``delivery`` brings a job's frames to its owner, ``background`` does what touches
the disk: ``takes`` (meshes, files, missed frames) and ``uploads``. ``submission``, ``access`` and ``feed`` check what
comes in, ``curve`` from whom. On the other side of ``worker_process`` are ``worker``, ``link`` and a job function, for
which ``contract`` stands: ``jobs`` is the real one, ``fake`` plays it. Nothing but ``jobs`` imports torch.
"""
