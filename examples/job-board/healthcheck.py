import sys
from urllib.request import urlopen

sys.exit(0 if urlopen("http://127.0.0.1:8000/health", timeout=2).status == 200 else 1)
