// Runs calls of JSch: java -cp jsch.jar Jsch.java HOST PORT USER PASSWORD CALL FIRST SECOND …
import com.jcraft.jsch.*;

public class Jsch {
    public static void main(String[] given) throws Exception {
        Session session = new JSch().getSession(given[2], given[0], Integer.parseInt(given[1]));
        session.setPassword(given[3]);
        session.setConfig("StrictHostKeyChecking", "no");
        session.connect(20000);
        ChannelSftp sftp = (ChannelSftp) session.openChannel("sftp");
        sftp.connect(20000);
        try {
            for (int at = 4; at < given.length; at += 3) call(sftp, given[at], given[at + 1], given[at + 2]);
        } finally {
            sftp.exit();
            session.disconnect();
        }
    }

    static void call(ChannelSftp sftp, String name, String first, String second) throws Exception {
        switch (name) {
            case "put": sftp.put(first, second); break;
            case "resume": sftp.put(first, second, ChannelSftp.RESUME); break;
            case "append": sftp.put(first, second, ChannelSftp.APPEND); break;
            case "rename": sftp.rename(first, second); break;
            case "rm": sftp.rm(first); break;
            case "chmod": sftp.chmod(Integer.parseInt(second, 8), first); break;
            case "mtime": sftp.setMtime(first, Integer.parseInt(second)); break;
            case "size": System.out.println(sftp.stat(first).getSize()); break;
            case "get": sftp.get(first, second); break;
            case "mkdir":
                try { sftp.mkdir(first); } catch (SftpException there) { sftp.lstat(first); }
                break;
            case "ls":
                for (Object each : sftp.ls(first)) System.out.println(((ChannelSftp.LsEntry) each).getFilename());
                break;
            default: throw new IllegalArgumentException(name);
        }
    }
}
