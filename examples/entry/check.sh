#!/bin/sh
# A checker for this example: sources that decode what they run are rejected. Called as: check.sh --repo TREE --commit COMMIT
set -eu
if grep -rq 'exec(base64' "$2"; then
    echo "$2 runs what it decodes"
    exit 3
fi
