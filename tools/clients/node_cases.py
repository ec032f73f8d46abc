"""openai (npm), each case a run of openai_npm.mjs."""

import pathlib
import subprocess

from .harness import Skipped, case, require

SCRIPT = pathlib.Path(__file__).with_name("openai_npm.mjs")
NAMES = ["plain", "streamed", "stream helper", "responses", "responses streamed", "responses.stream helper",
         "completions", "models", "errors", "leaving"]


def add(name):
    @case("openai (npm)", name)
    def run(world):
        if not world.node_folder:
            raise Skipped("no folder of node modules was named")
        done = subprocess.run([world.node, SCRIPT, str(pathlib.Path(world.node_folder).resolve()),
                               world.server.url, name], capture_output=True, text=True, timeout=120)
        require(done.returncode == 0, done.stderr[-2000:] or done.stdout[-2000:])
        if name == "leaving":
            world.server.require_idle_within(2)


for each in NAMES:
    add(each)
