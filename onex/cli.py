"""The `onex` command."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec

import click
from rich.console import Console
from rich.table import Table

from onex.stack.addresses import SERVICES, WORKERS, Running
from onex.stack.home import ROOT, Home
from onex.stack.interrupts import interruptible
from onex.stack.trouble import Trouble

if TYPE_CHECKING:
    from onex.dead_letters import Workbench
    from onex.held_mails import HeldMails
    from onex.stack.status import Status
    from onex.unknown_events import UnknownEvents

P = ParamSpec("P")
INTERRUPTED = 130
say = Console(highlight=False, soft_wrap=True)
complain = Console(stderr=True, highlight=False, soft_wrap=True)


def one_sentence(verb: Callable[P, None]) -> Callable[P, None]:
    """End a command with one clear sentence, not with a trace, for what a person can mend."""

    @wraps(verb)
    def spoken(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            verb(*args, **kwargs)
        except Trouble as trouble:
            complain.print(f"[bold red]onex:[/] {trouble}", markup=True)
            for line in trouble.lines:
                complain.print(f"  {line}", markup=False)
            sys.exit(1)
        except KeyboardInterrupt:
            complain.print("onex: interrupted")
            sys.exit(INTERRUPTED)

    return spoken


def tell(sentence: str) -> None:
    """A line of progress."""
    say.print(f"[green]·[/] {sentence}")


port_offset = click.option(
    "--port-offset", type=int, default=0, help="Add this to every default port: a second stack beside the first."
)

workers_option = click.option(
    "--workers",
    multiple=True,
    metavar="[SERVICE=]COUNT",
    help="How many workers a service has, or each of them; may be said again while the stack runs.",
)

samples_folder = click.option(
    "--samples", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Another folder of samples."
)


roles_option = click.option("--role", "roles", multiple=True, required=True, help="registry, teo, operator, ...")
owns_option = click.option("--owns", multiple=True, help="Limit it to its own, as kind=id: teo=911100000000000276.")
one_service = click.argument("service", type=click.Choice(SERVICES))


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """A college's 1+X pilot on this machine: start it, look at it, show it."""


@main.command()
@port_offset
@workers_option
@click.option("--stay", is_flag=True, help="Stay in the foreground; Ctrl-C stops the stack.")
@one_sentence
def up(port_offset: int, workers: tuple[str, ...], stay: bool) -> None:
    """Start the stack and wait until all of it is well."""
    os.environ.update(counts(workers))
    if not stay:
        print_addresses(start(port_offset))
        return
    with foreground(port_offset) as running:
        print_addresses(running)
        wait_for_interrupt()


@main.command()
@click.option("--wipe", is_flag=True, help="Delete its databases, topics, mail, logs and secrets as well.")
@one_sentence
def down(wipe: bool) -> None:
    """Stop the stack; its state stays unless --wipe says otherwise."""
    from onex.stack import up as stack  # noqa: PLC0415

    home = Home.from_environment()
    stopped = stack.down(home, tell)
    tell("The stack is stopped" if stopped else f"No stack runs in {home.folder}")
    if wipe:
        stack.wipe(home)
        tell(f"Its state in {home.folder} is deleted; the fetched engines stay")


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@one_sentence
def status(as_json: bool) -> None:
    """Show every process with its health and memory; exit 1 when one is not well."""
    from onex.stack.status import status as look  # noqa: PLC0415

    found = look(Home.from_environment())
    if as_json:
        click.echo(json.dumps(found.as_json(), indent=1))
    else:
        print_status(found)
    sys.exit(0 if found.is_well else 1)


@main.command()
@click.argument("instant", required=False)
@one_sentence
def clock(instant: str | None) -> None:
    """Show the field's time of a demonstration (DEMO=1), or set it forward: onex clock 2021-09-25T00:00."""
    from onex.stack import clock as clocks  # noqa: PLC0415

    home = Home.from_environment()
    if instant:
        if os.environ.get("DEMO") != "1":
            raise Trouble("Only a demonstration's clock is set. Start the stack with DEMO=1, and set it with DEMO=1.")
        clocks.set_clock(home, clocks.instant_of(instant))
    now = clocks.standing(home)
    shown = now.astimezone(clocks.CAMPUS).isoformat(timespec="minutes") if now else ""
    tell(f"The stack stands at {shown}" if shown else "The stack goes with this machine's clock")


@main.command()
@click.option("--partitions", type=click.IntRange(1, 1000), help="Give every topic so many, never fewer than it has.")
@one_sentence
def topics(partitions: int | None) -> None:
    """Create the topics that do not exist yet (deploy/topics.yaml)."""
    from onex.topics import create, grow  # noqa: PLC0415

    if not (kafka := os.environ.get("KAFKA")):
        kafka = Running.of(Home.from_environment()).variables["KAFKA"]
    if partitions:
        grown = grow(kafka, partitions)
        click.echo(f"{partitions} partitions now: {', '.join(grown)}" if grown else f"all have {partitions} partitions")
        return
    created = create(kafka)
    click.echo(f"created: {', '.join(created)}" if created else "all topics exist")


@main.group()
def papers() -> None:
    """Papers that travel."""


@papers.command("check")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--key", type=click.Path(path_type=Path), required=True, help="The bank's /credential-keys, as a file.")
@click.option("--status", type=click.Path(path_type=Path), help="The status list the credential names, as a file.")
@one_sentence
def check_paper(file: Path, key: Path, status: Path | None) -> None:
    """Verify a credential, or what its QR code says, offline; exit 1 when it is not to be believed."""
    from onex.papers import check  # noqa: PLC0415

    click.echo(json.dumps(check(file, key, status), ensure_ascii=False, indent=1))


@main.group()
def ledger() -> None:
    """The credit bank's ledger: is it whole, and can that be proved?"""


@ledger.command("verify")
@one_sentence
def verify_ledger() -> None:
    """Hold the journal against its hashes, the last root, what was announced and the accounts; exit 1 names faults."""
    sys.exit(console("verify"))


@ledger.command("rebuild")
@one_sentence
def rebuild_ledger() -> None:
    """Write accounts that differ from their journal as the journal says them; broken chains are left as they are."""
    sys.exit(console("rebuild"))


@ledger.command("root")
@click.option("--anew", default="", metavar="REASON", help="Although the journal contradicts the last root; is signed.")
@one_sentence
def export_root(anew: str) -> None:
    """Sign a root over all accounts' heads and keep it off the database; a worker does so once a day."""
    sys.exit(console("root", *(["--anew", anew] if anew else [])))


@ledger.command("prove")
@click.argument("learner")
@one_sentence
def prove_account(learner: str) -> None:
    """Print a proof that a learner's account stands under the latest root."""
    sys.exit(console("prove", "--", learner))


@ledger.command("check-proof")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--key", type=click.Path(path_type=Path), required=True, help="keys.json, as the bank exported it.")
@one_sentence
def check_proof(file: Path, key: Path) -> None:
    """Check a proof offline, with the public key alone; exit 1 when it shows nothing."""
    from onex.ledger import check_proof as check  # noqa: PLC0415

    click.echo(json.dumps(check(file, key), ensure_ascii=False, indent=1))


@main.command()
@samples_folder
@one_sentence
def demo(samples: Path | None) -> None:
    """Run the main job on the samples and hold it against the expectation."""
    sys.exit(show(Running.of(Home.from_environment()), samples))


@main.command()
@click.argument("folder", type=click.Path(path_type=Path), default=ROOT / "deploy" / "samples")
@one_sentence
def samples(folder: Path) -> None:
    """Write the sample sheets and their expectation again."""
    command = [sys.executable, "-m", "onex.samples", str(folder.resolve())]
    sys.exit(subprocess.run(command, cwd=ROOT, check=False).returncode)


@main.command()
@port_offset
@samples_folder
@click.option("--once", is_flag=True, help="Stop the stack at the end; the exit code says whether the books balance.")
@one_sentence
def run(port_offset: int, samples: Path | None, once: bool) -> None:
    """Start the stack, run the demonstration, and stay until Ctrl-C."""
    os.environ.setdefault("DEMO", "1")
    with foreground(port_offset) as running:
        code = show(running, samples)
        if not once:
            print_addresses(running)
            wait_for_interrupt()
    sys.exit(code)


@main.group("dead-letters")
def dead_letters() -> None:
    """Events that could not be handled: look at them, have them tried again, or give them up."""


@dead_letters.command("list")
@click.option("--service", "services", type=click.Choice(SERVICES), multiple=True, help="This service only.")
@click.option("--state", default="", help="waiting, asked, discarding, handled or discarded; else those not settled.")
@click.option("--type", "kind", default="", help="This type of event only.")
@one_sentence
def list_letters(services: tuple[str, ...], state: str, kind: str) -> None:
    """List what failed, why, and how much waits behind it."""
    workbench().show_all(services, state=state, type=kind)


@dead_letters.command("show")
@one_service
@click.argument("letter")
@one_sentence
def show_letter(service: str, letter: str) -> None:
    """Show a letter whole, its event without personal fields."""
    workbench().show(service, letter)


@dead_letters.command("retry")
@one_service
@click.argument("letters", nargs=-1)
@click.option("--type", "kind", default="", help="All that wait of this type, instead of named ones.")
@one_sentence
def retry_letters(service: str, letters: tuple[str, ...], kind: str) -> None:
    """Have letters tried again; each is rehearsed first in a transaction that is taken back."""
    sys.exit(0 if workbench().retry(service, chosen(service, letters, kind)) else 1)


@dead_letters.command("discard")
@one_service
@click.argument("letters", nargs=-1)
@click.option("--type", "kind", default="", help="All that wait of this type, instead of named ones.")
@click.option("--reason", required=True, help="Why; it is kept with your word.")
@one_sentence
def discard_letters(service: str, letters: tuple[str, ...], kind: str, reason: str) -> None:
    """Give letters up; what waited behind them goes on."""
    sys.exit(0 if workbench().discard(service, chosen(service, letters, kind), reason) else 1)


@main.group("unknown-events")
def unknown_events() -> None:
    """Events of types that a service does not know yet; an upgraded worker hands them on by itself."""


@unknown_events.command("list")
@click.option("--service", "services", type=click.Choice(SERVICES), multiple=True, help="This service only.")
@click.option("--type", "kind", default="", help="This type of event only.")
@one_sentence
def list_unknown_events(services: tuple[str, ...], kind: str) -> None:
    """List what is kept, why, and how much came beyond the bound."""
    unknown().show_all(services, kind)


@main.command()
@one_service
@click.option(
    "--forgotten", is_flag=True, help="Only list what was announced and is not known to the service any more."
)
@click.option(
    "--give-up", "ids", multiple=True, metavar="ID", help="Wait no more for this announcement; repeat for more."
)
@click.option("--reason", default="", help="Why it is given up; it is kept with your word.")
@one_sentence
def recover(service: str, forgotten: bool, ids: tuple[str, ...], reason: str) -> None:
    """Recover a service whose database was set back to an earlier state."""
    from onex.recover import Recovery  # noqa: PLC0415

    recovery = Recovery(Running.of(Home.from_environment()), service, say)
    if ids:
        if not reason:
            raise Trouble("Say why: --reason.")
        sys.exit(0 if recovery.give_up(ids, reason) else 1)
    if forgotten:
        recovery.list_forgotten()
    else:
        recovery.run()


@main.command()
@one_service
@click.option("--from", "sources", type=click.Choice(SERVICES), multiple=True, help="Of these publishers only.")
@click.option("--again", is_flag=True, help="Also what it has seen already: its read model was dropped.")
@one_sentence
def replay(service: str, sources: tuple[str, ...], again: bool) -> None:
    """Feed a new or rebuilt read model from the publishers' outboxes; nothing old is told outside."""
    from onex.replay import Replay  # noqa: PLC0415

    Replay(Running.of(Home.from_environment()), service, say).run(sources, again)


@main.command()
@click.argument("folder", type=click.Path(path_type=Path))
@one_sentence
def backup(folder: Path) -> None:
    """Write every database of the stack, as all were at one instant, into a new FOLDER."""
    from onex.backup import backup as take  # noqa: PLC0415

    taken = take(Home.from_environment(), folder, tell)
    count = sum(part["documents"] for part in taken["files"])
    tell(f"{count:,} documents as of {taken['cluster_time']}, with their checksums, are in {folder}")
    tell("Not in it, on purpose: secrets.env (keep it apart: without it the backup stays closed), Kafka, sent e-mails")


@main.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--into-empty", is_flag=True, help="Also a backup of another stack, into one that was never used.")
@one_sentence
def restore(folder: Path, into_empty: bool) -> None:
    """Put a backup back: stop what speaks to the databases, load them, start it all, have each service recover."""
    from onex.backup import restore as put_back  # noqa: PLC0415

    put_back(Home.from_environment(), folder, into_empty, tell)
    tell("The stack runs on the backup; each service has recovered what it had announced since")
    tell("What outside parties send again: onex recover SERVICE --forgotten. What is held: onex held-mails list")


@main.command()
@click.argument("learner")
@click.option("--entry", type=click.IntRange(1), help="Why this entry of the account was made.")
@click.option("--application", help="Why this application stands as it does.")
@click.option("--zh", "language", flag_value="zh", help="In Chinese.")
@click.option("--json", "as_json", is_flag=True, help="With facts and signed proof, as JSON.")
@one_sentence
def why(learner: str, entry: int | None, application: str | None, language: str | None, as_json: bool) -> None:
    """Explain the balance of a LEARNER's account, by its id: from score to rule to entry to credential."""
    from onex.why import explain  # noqa: PLC0415

    question = {"entry": entry, "application": application}
    explain(Running.of(Home.from_environment()), say, learner, language or "en", as_json, **question)


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@click.option("--grace-seconds", type=click.IntRange(0, 86_400), default=600, help="Younger things are on their way.")
@one_sentence
def audit(as_json: bool, grace_seconds: int) -> None:
    """Compare now what the services say of every learner; exit 1 when something does not agree."""
    from onex.audit.__main__ import audit_stack  # noqa: PLC0415

    running = Running.of(Home.from_environment())
    sys.exit(audit_stack(running.urls, running.clients_key, grace_seconds, as_json))


@main.group("held-mails")
def held_mails() -> None:
    """E-mails that may have left before notify's database was set back: release them, or drop them."""


@held_mails.command("list")
@one_sentence
def list_held() -> None:
    """List them, each with what it tells of."""
    mails().show_all()


@held_mails.command("release")
@click.argument("emails", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All that are held.")
@one_sentence
def release_held(emails: tuple[str, ...], everything: bool) -> None:
    """Have them sent, at the risk that some are sent twice."""
    mails().decide("releases", some_or_all(emails, everything))


@held_mails.command("drop")
@click.argument("emails", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All that are held.")
@one_sentence
def drop_held(emails: tuple[str, ...], everything: bool) -> None:
    """Have them never sent; their notices stay in the mailboxes."""
    mails().decide("drops", some_or_all(emails, everything))


@main.command("add-client")
@click.argument("client")
@roles_option
@owns_option
@one_sentence
def add_client(client: str, roles: tuple[str, ...], owns: tuple[str, ...]) -> None:
    """Register a machine and print its secret, this once."""
    from onex.accounts import Accounts  # noqa: PLC0415

    secret = Accounts(Running.of(Home.from_environment())).add_client(client, roles, owns)
    click.echo(f"CLIENT={client}\nSECRET={secret}")


@main.command("add-user")
@click.argument("name")
@roles_option
@owns_option
@click.password_option(help="Asked for when not given.")
@one_sentence
def add_user(name: str, roles: tuple[str, ...], owns: tuple[str, ...], password: str) -> None:
    """Register a person who signs in at the portal."""
    from onex.accounts import Accounts  # noqa: PLC0415

    Accounts(Running.of(Home.from_environment())).add_user(name, password, roles, owns)
    tell(f"{name} may sign in as {', '.join(roles)}")


def console(*arguments: str) -> int:
    """Run a verb of the credit bank's console on the stack that runs."""
    from onex.ledger import run_console  # noqa: PLC0415

    return run_console(Home.from_environment(), arguments)


def workbench() -> Workbench:
    """The dead letters of the stack that runs."""
    from onex.dead_letters import Workbench  # noqa: PLC0415

    return Workbench(Running.of(Home.from_environment()), say)


def unknown() -> UnknownEvents:
    """The events of unknown types of the stack that runs."""
    from onex.unknown_events import UnknownEvents  # noqa: PLC0415

    return UnknownEvents(Running.of(Home.from_environment()), say)


def mails() -> HeldMails:
    """The held e-mails of the stack that runs."""
    from onex.held_mails import HeldMails  # noqa: PLC0415

    return HeldMails(Running.of(Home.from_environment()), say)


def some_or_all(emails: tuple[str, ...], everything: bool) -> tuple[str, ...]:
    """The e-mails named; none of them means all that are held."""
    if bool(emails) == everything:
        raise Trouble("Name e-mails, or say --all; not both.")
    return emails


def chosen(service: str, letters: tuple[str, ...], kind: str) -> list[str]:
    """The letters named, or all that wait of a kind."""
    if bool(letters) == bool(kind):
        raise Trouble("Name letters, or a --type; not both.")
    return list(letters) or [one["id"] for one in workbench().letters(service, state="waiting", type=kind)]


def counts(workers: tuple[str, ...]) -> dict[str, str]:
    """The variables of the compose file that say how many workers each service has."""
    found: dict[str, str] = {}
    for one in workers:
        name, names_one, count = one.rpartition("=")
        if not count.isdigit() or (names_one and name not in SERVICES):
            raise Trouble(f"--workers {one}: write a count, or one of {', '.join(SERVICES)} and =count.")
        found |= dict.fromkeys([WORKERS[name]] if names_one else WORKERS.values(), count)
    return found


def start(port_offset: int) -> Running:
    """Bring the stack up; nothing is left running when that fails or is interrupted."""
    from onex.stack.up import up as bring_up  # noqa: PLC0415

    with interruptible():
        return bring_up(Home.from_environment(), dict(os.environ), port_offset, tell)


@contextmanager
def foreground(port_offset: int) -> Iterator[Running]:
    """The stack for as long as this command lasts, however it ends."""
    with interruptible(), stopping(start(port_offset)) as running:
        yield running


@contextmanager
def stopping(running: Running) -> Iterator[Running]:
    """Stop the stack at the end."""
    try:
        yield running
    finally:
        stop(running.home)


def stop(home: Home) -> None:
    """Stop the stack, whatever else is pressed meanwhile."""
    from onex.stack.up import down as bring_down  # noqa: PLC0415

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    bring_down(home, tell)


def show(running: Running, folder: Path | None) -> int:
    """Run the demonstration; its exit code."""
    from onex.demo import run as run_demo  # noqa: PLC0415

    return run_demo(running, folder, say)


def wait_for_interrupt() -> None:
    """Wait for Ctrl-C, SIGTERM or a closed terminal; that is how a foreground stack ends, and no failure."""
    tell("The stack stays up; Ctrl-C stops it")
    with suppress(KeyboardInterrupt):
        threading.Event().wait()
    say.print()


def print_addresses(running: Running) -> None:
    """Where to look."""
    table = Table(box=None, show_header=False)
    signed_in = f"{running.url('portal')}  (sign in as registry, operator, learner, ...; password onex-demo)"
    table.add_row("portal", signed_in if running.variables.get("DEMO") else running.url("portal"))
    for name in SERVICES:
        table.add_row(name, f"{running.url(name)}/docs")
    table.add_row("mail", running.variables["MAIL_FOLDER"])
    table.add_row("logs", str(running.home.logs))
    say.print(table)


def print_status(found: Status) -> None:
    """The processes as a table, and the memory in all."""
    table = Table("process", "pid", "state", "port", "health", "memory MB")
    table.columns[-1].justify = "right"
    for one in found.processes:
        colour = "green" if one.is_well else "red"
        health = f"[{colour}]{one.health}[/]"
        table.add_row(one.name, str(one.pid or ""), one.state, str(one.port or ""), health, f"{one.memory_mb:.0f}")
    table.add_section()
    table.add_row("supervisor", "", "", "", "", f"{found.supervisor_mb:.0f}")
    table.add_row("all (engines alone)", "", "", "", "", f"{found.all_mb:.0f} ({found.engines_mb:.0f})")
    say.print(table)
