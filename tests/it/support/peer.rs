//! Programs of others that the tests run: found on PATH, or a failure that says how
//! to get them.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// A loopback port that is free right now.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// A program that ends with its test.
pub struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts `command`; `install` is what to type where it is missing.
pub fn start(command: &mut Command, install: &str) -> Running {
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    match child {
        Ok(child) => Running(child),
        Err(error) => panic!(
            "{:?}: {error}; install it: {install}",
            command.get_program()
        ),
    }
}

/// Runs `command` to its end, which must be a good one.
pub fn done(command: &mut Command, install: &str) -> Output {
    match command.output() {
        Ok(output) if output.status.success() => output,
        Ok(output) => panic!(
            "{command:?}: {}\n{}{}\nif something is missing: {install}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        ),
        Err(error) => panic!(
            "{:?}: {error}; install it: {install}",
            command.get_program()
        ),
    }
}

/// A Python of our own with one package from PyPI, kept under `target/`.
pub fn python_with(package: &str) -> PathBuf {
    let venv = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("venv-{package}"));
    let python = venv.join("bin/python");
    let module = package.replace('-', "_");
    let there = Command::new(&python)
        .args(["-c", &format!("import {module}")])
        .output()
        .is_ok_and(|output| output.status.success());
    if !there {
        let install = format!(
            "apt install python3-venv && python3 -m venv {venv} && {venv}/bin/pip install {package}",
            venv = venv.display()
        );
        done(
            Command::new("python3").args(["-m", "venv"]).arg(&venv),
            &install,
        );
        let pip = venv.join("bin/pip");
        done(
            Command::new(pip).args(["install", "--quiet", package]),
            &install,
        );
    }
    python
}

/// A certificate authority of the test, and a certificate of it for this machine.
pub struct Certificates {
    pub dir: tempfile::TempDir,
}

impl Certificates {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let openssl = |args: &str| {
            let mut command = Command::new("openssl");
            command.current_dir(dir.path()).args(args.split(' '));
            done(&mut command, "apt install openssl");
        };
        let names = "subjectAltName=IP:127.0.0.1,DNS:localhost\nbasicConstraints=CA:FALSE\n";
        std::fs::write(dir.path().join("names"), names).unwrap();
        openssl(
            "req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=park-ca -keyout ca.key -out ca.pem",
        );
        openssl("req -newkey rsa:2048 -nodes -subj /CN=127.0.0.1 -keyout key.pem -out request.pem");
        openssl(
            "x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -extfile names -out certificate.pem",
        );
        Self { dir }
    }

    pub fn authority(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }

    /// A reverse proxy that takes TLS off and passes the bytes on to `to`.
    pub fn terminate_before(&self, to: std::net::SocketAddr) -> (Running, u16) {
        self.terminate(to, "")
    }

    /// The same, for those alone who show a certificate of the authority.
    pub fn terminate_for_known(&self, to: std::net::SocketAddr) -> (Running, u16) {
        self.terminate(to, "ca.pem")
    }

    fn terminate(&self, to: std::net::SocketAddr, authority: &str) -> (Running, u16) {
        let port = free_port();
        let script = r"
import asyncio, ssl, sys
listen, to = int(sys.argv[1]), int(sys.argv[2])
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain('certificate.pem', 'key.pem')
if sys.argv[3]:
    context.load_verify_locations(sys.argv[3])
    context.verify_mode = ssl.CERT_REQUIRED
async def pump(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except (ConnectionError, ssl.SSLError):
        pass
    writer.close()
async def serve(reader, writer):
    there, back = await asyncio.open_connection('127.0.0.1', to)
    await asyncio.gather(pump(reader, back), pump(there, writer))
async def main():
    server = await asyncio.start_server(serve, '127.0.0.1', listen, ssl=context)
    await server.serve_forever()
asyncio.run(main())
";
        let mut command = Command::new("python3");
        command.current_dir(self.dir.path()).args([
            "-c",
            script,
            &port.to_string(),
            &to.port().to_string(),
            authority,
        ]);
        (start(&mut command, "apt install python3"), port)
    }
}
