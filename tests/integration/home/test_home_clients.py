"""Programs that people have, against a home: what each does after its CLOSE must work too."""

import asyncio
import os
import shutil

import paramiko
import pytest

from sftp_gateway.upload import State

BODY = os.urandom(300_000)
OTHER = os.urandom(400_000)


async def run(house, *command, stdin=""):
    process = await asyncio.create_subprocess_exec(
        *map(str, command),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", "LC_ALL": "C.UTF-8"},
    )
    async with asyncio.timeout(20):
        out, _ = await process.communicate(stdin.encode())
    return process.returncode, out.decode(errors="replace")


def options(house):
    pairs = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "IdentitiesOnly=yes", "LogLevel=ERROR"]
    return ["-F", "/dev/null", "-P", house.port, "-i", house.key_file, *(x for pair in pairs for x in ("-o", pair))]


@pytest.fixture
def local(tmp_path):
    file = tmp_path / "catalog.bin"
    file.write_bytes(BODY)
    return file


@pytest.mark.skipif(not shutil.which("sftp"), reason="openssh-client is not installed: sftp")
async def test_openssh_sftp_puts_preserves_resumes_renames_and_lists(open_house, local):
    house = await open_house(settle_seconds=20)
    part = local.with_name("part")
    part.write_bytes(BODY[:100_000])
    script = [
        f"put -pf {local} /a.bin", f"put {part} /b.tmp", f"reput {local} /b.tmp", "rename /b.tmp /b.bin",
        f"put {part} /c.bin", f"put -a {local} /c.bin", "mkdir /d", "chmod 600 /a.bin", "ls -l /", "df /",
        f"put {local} /d"]  # fmt: skip
    code, out = await run(house, "sftp", *options(house), "-b", "-", "acme@127.0.0.1", stdin="\n".join(script))
    assert code == 0, out
    house.rest()
    found = await house.received(4)
    code, out = await run(house, "sftp", *options(house), "-b", "-", "acme@127.0.0.1", stdin="rm /a.bin\nls /\n")
    assert code == 0 and "a.bin" not in out.splitlines()[-1], out
    assert {upload.path: house.bytes_of(upload) for upload in found} == dict.fromkeys(
        ("a.bin", "b.bin", "c.bin", "d/catalog.bin"), BODY
    )


@pytest.mark.skipif(not shutil.which("scp"), reason="openssh-client is not installed: scp")
async def test_openssh_scp_leaves_no_tail_of_a_longer_file(house, local):
    code, out = await run(house, "scp", *options(house), "-p", local, "acme@127.0.0.1:/a.bin")
    assert code == 0, out
    await house.received(1)
    local.write_bytes(BODY[:1000])
    code, out = await run(house, "scp", *options(house), local, "acme@127.0.0.1:/a.bin")
    assert code == 0, out
    _, second = await house.received(2)
    assert house.bytes_of(second) == BODY[:1000]
    code, out = await run(house, "scp", *options(house), "acme@127.0.0.1:/a.bin", local.with_name("back"))
    assert (code, local.with_name("back").read_bytes()) == (0, BODY[:1000])


@pytest.mark.skipif(not shutil.which("scp"), reason="openssh-client is not installed: scp")
async def test_two_openssh_scp_that_send_one_name_at_the_same_time_make_two_uploads(house, local):
    other = local.with_name("other.bin")
    other.write_bytes(OTHER)
    slowly = ("scp", "-l", 2400, *options(house))  # kbit/s: each takes a second
    sent = await asyncio.gather(*(run(house, *slowly, file, "acme@127.0.0.1:/a.bin") for file in (local, other)))
    assert [code for code, _ in sent] == [0, 0], sent
    assert {house.bytes_of(upload) for upload in await house.received(2)} == {BODY, OTHER}


async def test_paramiko_checks_the_size_and_reads_and_appends(open_house, local):
    house = await open_house(settle_seconds=20)

    def talk():
        transport = paramiko.Transport(("127.0.0.1", house.port))
        transport.connect(username="acme", pkey=paramiko.Ed25519Key.from_private_key_file(str(house.key_file)))
        with transport, paramiko.SFTPClient.from_transport(transport) as client:
            client.put(str(local), "/a.bin", confirm=True)
            client.utime("/a.bin", (1, 1))
            assert client.stat("/a.bin").st_mtime == 1
            client.posix_rename("/a.bin", "/b.bin")
            with client.open("/b.bin", "rb") as file:
                assert file.read() == BODY
            with client.open("/b.bin", "ab") as file:
                file.write(b"more")
            assert client.stat("/b.bin").st_size == len(BODY) + 4

    await asyncio.to_thread(talk)
    house.rest()
    (upload,) = await house.received(1)
    assert (upload.path, house.bytes_of(upload)) == ("b.bin", BODY + b"more")


@pytest.mark.skipif(not shutil.which("lftp"), reason="lftp is not installed")
async def test_lftp_puts_by_a_temporary_name_and_mirrors(house, local):
    folder = local.parent / "tree"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "x.bin").write_bytes(BODY)
    connect = f"ssh -a -x -F /dev/null -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -i {house.key_file}"
    script = (
        f'set sftp:connect-program "{connect}"; set xfer:use-temp-file yes; set net:max-retries 1;'
        f"open -u acme, -p {house.port} sftp://127.0.0.1; put {local} -o a.bin; put {local} -o a.bin;"
        f"mirror -R {folder} /partial/tree; mirror -R {folder} /partial/tree; ls /; bye"
    )
    code, out = await run(house, "lftp", "-c", script)
    assert code == 0, out
    await house.received(2)
    await house.quiet()
    paths = {upload.path for upload in house.history()}
    assert paths == {"a.bin", "partial/tree/sub/x.bin"}
    assert all(house.bytes_of(upload) == BODY and upload.state is State.RECEIVED for upload in house.history())


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
async def test_curl_makes_directories_and_resumes(house, local):
    public = house.key_file.with_suffix(".pub")
    public.write_bytes(house.key.export_public_key())
    common = ["curl", "-sS", "-k", "--key", house.key_file, "--pubkey", public, "-u", "acme:", "--ftp-create-dirs"]
    url = f"sftp://127.0.0.1:{house.port}"
    code, out = await run(house, *common, "-T", local, f"{url}/new/dir/a.bin")
    if "not supported" in out or "Unsupported protocol" in out:
        pytest.skip("this curl has no SFTP")
    assert code == 0, out
    part = local.with_name("part")
    part.write_bytes(BODY[:1000])
    assert (await run(house, *common, "-T", part, f"{url}/b.bin.part"))[0] == 0
    code, out = await run(
        house, *common, "-C", "1000", "-T", local, f"{url}/b.bin.part", "-Q", "-rename /b.bin.part /b.bin"
    )
    assert code == 0, out
    found = await house.received(2)
    assert {upload.path: house.bytes_of(upload) for upload in found} == {"new/dir/a.bin": BODY, "b.bin": BODY}
