"""`hmdiff serve` as the add-on starts it, but with the fake's jobs; FAKE_KNOBS holds its knobs as a JSON list."""

import json
import os
import sys

from hmdiff.server.fake import main

words = [word for word in sys.argv[1:] if word != "serve"]
sys.exit(main([*words, *json.loads(os.environ.get("FAKE_KNOBS", "[]"))]))
