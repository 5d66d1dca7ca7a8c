"""`brand …` and `erase`: who may come in, and how their files are read."""

import argparse
import secrets
import sys
from pathlib import Path

from msgspec import structs

from sftp_gateway import brandset, config, receipt
from sftp_gateway.brand import NAME, BrandSettings, Key
from sftp_gateway.catalog.rules import schema
from sftp_gateway.catalog.types import isocodes
from sftp_gateway.cli import given, opening, output
from sftp_gateway.errors import NotAllowed, NotFound, Refused
from sftp_gateway.intake import folder
from sftp_gateway.store import brands, frontdoor


def add(options: argparse.Namespace) -> None:
    """Add a brand and say how it connects; without a key it gets a password."""
    if not NAME.fullmatch(options.name):
        raise NotFound(f"{options.name!r} cannot be a brand's name: small letters, digits and -, at most 32")
    key = _read_key(options.key) if options.key else None
    with opening.gateway(options) as opened:
        brands.create(opened.store, options.name, by=opening.who())
        made = {"brand": options.name, "user": options.name}
        if key is not None:
            brands.add_key(opened.store, options.name, key, opening.who())
        else:
            made["password"] = _new_password(opened, options.name)
        if options.json:
            output.as_json(made)
            return
        door = frontdoor.address(opened.store, opened.settings.sftp)
        print(f"Brand {options.name} may log in: sftp -P {door.port} {options.name}@{door.host}")
        if key is not None:
            print(f"  with the key {key.fingerprint}")
        else:
            print(f"  with the password {made['password']}  (shown only now)")


def listing(options: argparse.Namespace) -> None:
    """List the brands."""
    with opening.gateway(options) as opened:
        found = brands.all_brands(opened.store)
    items = [{"brand": b.name, "enabled": b.enabled, "version": b.current_version or None} for b in found]
    contacts = {b.name: b.settings.contact for b in found}
    columns: output.Columns = {
        "BRAND": "brand", "STATE": lambda it: "enabled" if it["enabled"] else "disabled", "VERSION": "version",
        "CONTACT": lambda it: contacts[it["brand"]],
    }  # fmt: skip
    output.listing(options.json, {"brands": items}, items, columns, "No brand yet: sftp-gateway brand add NAME")


def show(options: argparse.Namespace) -> None:
    """Show a brand, what was set for it, and its keys."""
    with opening.gateway(options) as opened:
        brand = brands.get(opened.store, options.name)
        login = brands.login(opened.store, options.name)
    keys = login.keys if login else ()
    password = login is not None and login.password_hash is not None
    chosen = {k: v for k, v in structs.asdict(brand.settings).items() if v != getattr(BrandSettings(), k)}
    if options.json:
        listed = [
            {
                "fingerprint": k.fingerprint,
                "label": k.label,
                "added_at": receipt.moment(k.added_at),
                "expires_at": receipt.moment(k.expires_at),
            }
            for k in keys
        ]
        output.as_json(
            {
                "brand": brand.name,
                "enabled": brand.enabled,
                "version": brand.current_version or None,
                "password": password,
                "keys": listed,
                "settings": chosen,
            }
        )
        return
    print(
        f"Brand {brand.name}: {'enabled' if brand.enabled else 'disabled'}, catalog version {brand.current_version or 'none yet'}"
    )
    ways = ["a password"] * password + ["a key"] * bool(keys)
    print(f"  logs in with {' or '.join(ways) or 'nothing yet: give it a key (brand key add) or a password'}")
    for key in keys:
        until = f", until {receipt.moment(key.expires_at)}" if key.expires_at else ""
        print(f"  key {key.fingerprint} {key.label} (added {receipt.moment(key.added_at)}{until})")
    for name, value in chosen.items():
        for setting, text in (
            {f"{name}.{k}": v for k, v in value.items()}.items() if isinstance(value, dict) else ((name, value),)
        ):
            print(f"  {setting} = {output.clean(text)}")


def switch(options: argparse.Namespace) -> None:
    """Let a brand in no more (`disable`; running sessions end, its catalog stays), or again (`enable`)."""
    enabled = options.brand_verb == "enable"
    with opening.gateway(options) as opened:
        brands.set_enabled(opened.store, options.name, enabled, opening.who())
    text = f"{options.name} is {options.brand_verb}d."
    output.answer(options.json, {"brand": options.name, "enabled": enabled}, text)


def password(options: argparse.Namespace) -> None:
    """Give a brand a new password, or none."""
    with opening.gateway(options) as opened:
        brands.get(opened.store, options.name)
        if options.remove:
            brands.set_password_hash(opened.store, options.name, None, opening.who())
            made = None
        else:
            made = _new_password(opened, options.name)
    who = {"brand": options.name, "user": options.name}
    if made:
        text = f"New password of {options.name}: {made}  (shown only now)"
        output.answer(options.json, who | {"password": made}, text)
    else:
        output.answer(options.json, who, f"{options.name} logs in by key only.")


def change(options: argparse.Namespace) -> None:
    """Set what `KEY=VALUE` pairs say, all or nothing."""
    with opening.gateway(options) as opened:
        columns = frozenset(column.name for column in schema.load(opened.settings.catalog.rules).columns)

        def put(now: BrandSettings) -> BrandSettings:
            changed = brandset.apply(now, options.pairs, columns)
            if changed.currency and changed.currency not in isocodes.CURRENCIES:
                raise NotFound(f"currency: {changed.currency!r} is no currency code (ISO 4217); give one such as EUR")
            return changed

        brands.get(opened.store, options.name)  # a name nearly right gets a hint
        brands.change_settings(opened.store, options.name, put, opening.who())
    text = f"Set for {options.name}, from the next login and the next upload on."
    output.answer(options.json, {"brand": options.name, "set": options.pairs}, text)


def key_add(options: argparse.Namespace) -> None:
    """Let a brand log in with one more public key."""
    expires = opening.end(options.expires)
    key = structs.replace(_read_key(options.file), expires_at=expires)
    key = structs.replace(key, label=options.label) if options.label else key
    with opening.gateway(options) as opened:
        brands.add_key(opened.store, options.name, key, opening.who())
    made = {"brand": options.name, "fingerprint": key.fingerprint, "expires_at": receipt.moment(expires)}
    output.answer(options.json, made, f"{options.name} may log in with {key.fingerprint} from now on.")


def key_remove(options: argparse.Namespace) -> None:
    """Forget a public key."""
    with opening.gateway(options) as opened:
        brands.remove_key(opened.store, options.name, options.fingerprint, opening.who())
    gone = {"brand": options.name, "removed": options.fingerprint}
    output.answer(options.json, gone, f"{options.fingerprint} lets nobody in any more.")


def erase(options: argparse.Namespace) -> None:
    """Erase everything of a brand; prints what went, as a proof."""
    with opening.gateway(options) as opened:
        brands.get(opened.store, options.brand)
        if not options.yes and _typed(f"Erase everything of {options.brand}? Type its name: ") != options.brand:
            raise NotAllowed("nothing was erased")
        proof = brands.erase(opened.store, opened.files, options.brand, opening.who())
    drop = config.drop_folder(opened.settings)
    proof["dropped"], error = folder.remove(drop, options.brand)
    rows, count = sum(proof["rows"].values()), proof["blobs"] + proof["dropped"]
    text = f"Erased {options.brand}: {rows:,} rows and {count:,} files; digest {proof['digest']}."
    output.answer(options.json, proof, text)
    if error is not None:
        raise NotAllowed(
            f"{drop / options.brand} is still there, remove it by hand: {error}. Everything else of {options.brand} is erased"
        )


def _typed(question: str) -> str:
    """Ask a person, where what the program answers is not looked for."""
    print(question, end="", file=sys.stderr, flush=True)
    answer = sys.stdin.readline()
    if not answer:
        print(file=sys.stderr)
        raise NotAllowed("nobody is there to answer; nothing was erased. Give --yes to go on without a question")
    return answer.strip()


def _new_password(opened: opening.Opened, name: str) -> str:
    from sftp_gateway.sftp import auth  # noqa: PLC0415 - asyncssh takes 0.15 s, and most verbs of a brand need none

    made = secrets.token_urlsafe(18)
    brands.set_password_hash(opened.store, name, auth.hash_password(made), opening.who())
    return made


def _read_key(file: str) -> Key:
    from sftp_gateway.sftp import auth  # noqa: PLC0415 - see above

    given.readable(path := Path(file))
    try:
        return auth.parse_public_key(path.read_text("utf-8"))
    except Refused as error:
        raise NotFound(f"{file}: {error.message}. {error.suggestion}".rstrip(". ")) from None
    except UnicodeDecodeError:
        raise NotFound(f"{file}: this is no public key: send the *.pub file") from None
    except OSError as error:
        raise NotFound(f"{file}: {error.strerror or error}") from error
