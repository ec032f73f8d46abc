"""The agents: how each is installed, told where the server is, started, and which of its tools runs a command."""

import dataclasses
import json
import pathlib
import re
import subprocess
import sys

PROMPT = "Run echo turn-1, then echo turn-2, then echo turn-3, then say so."


@dataclasses.dataclass
class Place:
    """Where an agent lives in one run. Its home stands elsewhere, under the same name for two at once."""
    installed: pathlib.Path  # its programs
    stands: pathlib.Path     # the folder that is its home
    home: pathlib.Path       # what it sees it as
    work: pathlib.Path       # its working folder
    url: str                 # of the proxy

    def write(self, path, text):
        """What the agent sees the file as."""
        file = self.stands / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return str(self.home / path)


def echo(turn):
    return f"echo turn-{turn}"


class Agent:
    title = ""
    package = ""
    registry = "npm"
    tool = ""  # which runs commands

    @property
    def version(self):
        return re.search(r"[\d.]+$", self.package)[0]

    def install(self, folder):
        folder.mkdir(parents=True, exist_ok=True)
        if self.registry == "npm":
            command = ["npm", "install", "--no-audit", "--no-fund", "--silent", self.package]
            subprocess.run(command, cwd=folder, check=True)
            return
        if not (folder / "bin/python").exists():
            subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([folder / "bin/pip", "install", "--quiet", self.package], check=True)

    def arguments(self, turn):
        return {"command": echo(turn)}

    def command(self, place):
        """(the command, variables)"""
        raise NotImplementedError


class Llm(Agent):
    title = "llm"
    package, registry, tool = "llm==0.36", "pip", "run_command"

    def command(self, place):
        place.write("llm/extra-openai-models.yaml",
                    f"- {{model_id: kvasir, model_name: kvasir, api_base: {place.url}/v1, supports_tools: true}}\n")
        functions = place.write("functions.py", "import subprocess\n\n\ndef run_command(command: str) -> str:\n"
                                '    "Runs a command and tells what it printed."\n'
                                "    return subprocess.getoutput(command)\n")
        return ([place.installed / "bin/llm", "-m", "kvasir", "--functions", functions, PROMPT],
                {"LLM_USER_PATH": place.home / "llm", "OPENAI_API_KEY": "none"})


class Qwen(Agent):
    title = "Qwen Code"
    package, tool = "@qwen-code/qwen-code@0.15.10", "run_shell_command"

    def arguments(self, turn):
        return {"command": echo(turn), "is_background": False}

    def command(self, place):
        return ([place.installed / "node_modules/.bin/qwen", "--auth-type", "openai", "-y", "-p", PROMPT],
                {"OPENAI_BASE_URL": f"{place.url}/v1", "OPENAI_API_KEY": "none", "OPENAI_MODEL": "kvasir"})


class Continue(Agent):
    title = "Continue"
    package, tool = "@continuedev/cli@1.5.47", "Bash"

    def command(self, place):
        config = place.write("continue.yaml", "name: kvasir\nversion: 0.0.1\nschema: v1\nmodels:\n"
                             f"  - {{name: kvasir, provider: openai, model: kvasir, apiBase: {place.url}/v1, "
                             "apiKey: none, roles: [chat], capabilities: [tool_use]}\n")
        return ([place.installed / "node_modules/.bin/cn", "--config", config, "--allow", "Bash", "-p", PROMPT], {})


class Pi(Agent):
    title = "pi"
    package, tool = "@earendil-works/pi-coding-agent@0.74.2", "bash"

    def command(self, place):
        model = {"id": "kvasir", "name": "kvasir", "contextWindow": 131072, "maxTokens": 4096}
        provider = {"baseUrl": f"{place.url}/v1", "api": "openai-completions", "apiKey": "none", "models": [model]}
        place.write(".pi/agent/models.json", json.dumps({"providers": {"local": provider}}))
        return ([place.installed / "node_modules/.bin/pi", "--provider", "local", "--model", "kvasir", "-p", PROMPT],
                {"PI_OFFLINE": "1"})


class Opencode(Agent):
    title = "opencode"
    package, tool = "opencode-ai@1.18.33", "bash"

    def arguments(self, turn):
        return {"command": echo(turn), "description": "Prints a word"}

    def command(self, place):
        provider = {"npm": "@ai-sdk/openai-compatible", "name": "local",
                    "options": {"baseURL": f"{place.url}/v1", "apiKey": "none"},
                    "models": {"kvasir": {"limit": {"context": 131072, "output": 4096}}}}
        place.write(".config/opencode/opencode.json", json.dumps({"provider": {"local": provider}}))
        return ([place.installed / "node_modules/.bin/opencode", "run", "-m", "local/kvasir", PROMPT],
                {"OPENCODE_DISABLE_AUTOUPDATE": "1", "OPENCODE_DISABLE_MODELS_FETCH": "1"})


class Claude(Agent):
    title = "Claude Code"
    package, tool = "@anthropic-ai/claude-code@2.1.197", "Bash"

    def arguments(self, turn):
        return {"command": echo(turn), "description": "Prints a word"}

    def command(self, place):
        return ([place.installed / "node_modules/.bin/claude", "-p", PROMPT, "--allowedTools", "Bash"],
                {"ANTHROPIC_BASE_URL": place.url, "ANTHROPIC_AUTH_TOKEN": "none", "ANTHROPIC_MODEL": "kvasir",
                 "ANTHROPIC_DEFAULT_HAIKU_MODEL": "kvasir", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
                 "DISABLE_AUTOUPDATER": "1"})


class Codex(Agent):
    title = "Codex"
    package, tool = "@openai/codex@0.171.0", "exec_command"

    def arguments(self, turn):
        return {"cmd": echo(turn)}

    def command(self, place):
        place.write(".codex/config.toml", 'model = "kvasir"\nmodel_provider = "local"\n[model_providers.local]\n'
                    f'name = "local"\nbase_url = "{place.url}/v1"\nwire_api = "responses"\nenv_key = "LOCAL_KEY"\n')
        return ([place.installed / "node_modules/.bin/codex", "exec", "--skip-git-repo-check", PROMPT],
                {"LOCAL_KEY": "none"})


AGENTS = {"llm": Llm(), "qwen": Qwen(), "continue": Continue(), "pi": Pi(), "opencode": Opencode(),
          "claude": Claude(), "codex": Codex()}
NIGHTLY = ("claude", "codex")
