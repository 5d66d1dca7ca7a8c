"""The canary: fails when a new asyncssh moves what sftp/seams.py overrides."""

import inspect

import asyncssh
import pytest
from asyncssh import channel, connection, constants, packet, sftp, stream

from sftp_gateway import errors
from sftp_gateway.sftp import fastpath, quick, requests, seams


def test_the_installed_version_is_the_one_the_hooks_are_for():
    seams.check_version()
    with pytest.raises(errors.ConfigError, match=r"asyncssh 2\.25\.0 is installed"):
        seams.check_version("2.25.0")


OVERRIDDEN = [
    (seams.Channel, channel.SSHServerChannel),
    (seams.Stream, stream.SSHServerStreamSession),
    (seams.Connection, connection.SSHServerConnection),
    (requests.Handler, sftp.SFTPServerHandler),
    (quick.Quick, sftp.SFTPServerHandler),
    (fastpath.FastChannel, channel.SSHServerChannel),
    (fastpath.Fast, connection.SSHServerConnection),
    (fastpath.Silent, packet.SSHPacketLogger),
]


@pytest.mark.parametrize(("ours", "theirs"), OVERRIDDEN, ids=lambda value: value.__name__)
def test_what_is_overridden_is_still_there_with_the_same_arguments(ours, theirs):
    own = {"_is_answered", "_next", "raise_failed", "_is_read", "_opening", "_done", "_opened", "_written", "_answered", "_closed",
           "send_sealed", "_room_for_a_handle", "_file", "serve", "open_files", "started", "channel", "handler",
           "buffered_bytes", "send_data", "_send_parts", "grant", "next_window", "write_parts", "_cut", "_take", "_open", "_is_delivered", "take", "takes", "__init__"}  # fmt: skip
    functions = [name for name, value in vars(ours).items() if inspect.isfunction(value) and name not in own]
    assert functions
    for name in functions:
        mine, base = (inspect.signature(getattr(each, name)).parameters for each in (ours, theirs))
        assert list(mine) == list(base), name


@pytest.mark.parametrize(
    ("cls", "words"),
    [
        (sftp.SFTPServerHandler._cleanup, "self._server.close(file_obj)"),
        (sftp.SFTPServerHandler._process_packet, "self._packet_handlers.get(handler_type)"),
        (sftp.SFTPServerHandler._process_open, "self._file_handles[handle] = result"),
        (sftp.SFTPServerHandler._process_open, "result = self._server.open(path, pflags, attrs)"),
        (sftp.SFTPServerHandler._process_close, "self._file_handles.pop(handle, None)"),
        (sftp.SFTPServerHandler._process_close, "self._dir_handles.pop(handle, None) is not None"),
        (sftp.SFTPServerHandler.run, "self._extensions"),
        (sftp.SFTPServerHandler.run, "self._version = min(version, self._version)"),
        (sftp.SFTPServerHandler.run, "await self.recv_packets()"),
        (channel.SSHChannel._accept_data, "self._recv_buf.append((data, datatype))"),
        (channel.SSHChannel._deliver_data, "if self._recv_window < self._init_recv_window / 2:"),
        (channel.SSHChannel._deliver_data, "self.send_packet(MSG_CHANNEL_WINDOW_ADJUST, UInt32(adjust))"),
        (stream.SSHServerStreamSession.session_started, "run_sftp_server"),
        (stream.SSHStreamSession.data_received, "self._recv_buf_len += len(data)"),
        (stream.SSHReader.__init__, "self._session"),
        (connection.SSHConnection._send, "self._transport.write(data)"),
        (connection.SSHConnection._force_close, "self._transport.abort"),
        (connection.SSHServerConnection._process_session_open, "self._owner.session_requested()"),
        (connection.SSHConnection.connection_made, "self._owner = self._protocol_factory()"),
        (connection.SSHServerConnection.validate_public_key, "_validate_client_public_key"),
        (connection.SSHConnection.send_userauth_failure, "MSG_USERAUTH_FAILURE"),
        (connection.SSHConnection.send_userauth_success, "self.send_packet(MSG_USERAUTH_SUCCESS)"),
        (connection.SSHConnection._process_channel_open, "chan.process_open(send_chan, send_window,"),
    ],
)
def test_the_code_around_each_hook_is_what_it_was_written_against(cls, words):
    assert words in inspect.getsource(cls)


def test_links_and_copy_data_are_out_of_the_table_and_the_rest_is_in():
    table = requests.Handler._packet_handlers
    assert b"copy-data" not in table
    assert constants.FXP_BLOCK not in table
    assert set(table) == set(sftp.SFTPServerHandler._packet_handlers) - set(requests.NOT_OFFERED)
    assert {name for name, _ in requests.Handler._extensions} == set(requests.EXTENSIONS)


def test_asyncssh_still_has_the_faults_that_the_hooks_mend():
    """When one of these fails, the hook it names can go."""
    assert "packet.check_end()" in inspect.getsource(sftp.SFTPServerHandler._process_write), "padded WRITE"
    assert "channel.exit" not in inspect.getsource(sftp.SFTPServerHandler._cleanup), "no exit status"
    assert "return True" in inspect.getsource(channel.SSHServerChannel._process_env_request), "env is taken"
    assert asyncssh.__version__.startswith(seams.VERSION)
