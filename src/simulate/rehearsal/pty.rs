//! A bus on a serial line that is not there: the other end of a pseudo-terminal.
//!
//! The line has a name of its own, a link to whatever terminal the system gave, so
//! that a configuration can name it. Baud and parity do nothing on it; the time of
//! characters is kept by the pace of the bus.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};
use tokio::io::{Join, join};
use tokio::net::unix::pipe::{Receiver, Sender};
use tokio_util::sync::CancellationToken;

use super::session::{Bus, Session};
use super::tcp::until_mended;

/// One end of a line, whose other end is a terminal.
pub struct Port {
    /// To the runtime it is two halves of a pipe: that is how it lets anyone wait for
    /// a file that can be polled.
    master: Join<Receiver, Sender>,
    /// Held open, so that the line lives on while no master has it open.
    _terminal: File,
    link: PathBuf,
}

impl Port {
    /// Opens a line and links its terminal at `link`; a link that is there already is
    /// replaced, anything else is not.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn open(link: &Path) -> io::Result<Self> {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        grantpt(&master)?;
        unlockpt(&master)?;
        let name = ptsname(&master, Vec::new())?.into_bytes();
        let path = PathBuf::from(std::ffi::OsString::from_vec(name));
        let terminal = OpenOptions::new().read(true).write(true).open(&path)?;
        // Bytes as they are: no echo, no lines, no signals.
        let mut attributes = tcgetattr(&terminal)?;
        attributes.make_raw();
        tcsetattr(&terminal, OptionalActions::Now, &attributes)?;
        let flags = fcntl_getfl(&master)?;
        fcntl_setfl(&master, flags | OFlags::NONBLOCK)?;
        if link.is_symlink() {
            std::fs::remove_file(link)?;
        }
        std::os::unix::fs::symlink(&path, link)?;
        Ok(Self {
            master: join(
                Receiver::from_owned_fd_unchecked(master.try_clone()?)?,
                Sender::from_owned_fd_unchecked(master)?,
            ),
            _terminal: terminal,
            link: link.to_owned(),
        })
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.link);
    }
}

/// Serves a bus on its line until it is told to stop. A line that is unplugged has no
/// link; afterwards it has one again, to another terminal.
pub async fn serve(bus: Arc<Bus>, port: Port, stop: CancellationToken) {
    stop.run_until_cancelled(attend(&bus, port)).await;
}

async fn attend(bus: &Bus, port: Port) {
    let mut changes = bus.faults.changes();
    let link = port.link.clone();
    let mut port = Some(port);
    loop {
        let mut line = match port.take().map_or_else(|| Port::open(&link), Ok) {
            Ok(line) => line,
            Err(error) => {
                tracing::warn!(link = %link.display(), %error, "The simulated line cannot be opened.");
                return;
            }
        };
        let unplugged = async {
            while bus.faults.down(bus.place).is_none() {
                if changes.changed().await.is_err() {
                    return;
                }
            }
        };
        tokio::select! {
            ended = Session::new(&mut line.master, bus, 0).run() => if let Err(error) = ended {
                tracing::debug!(%error, "A simulated line ended.");
            },
            () = unplugged => {}
        }
        drop(line);
        until_mended(bus, &mut changes).await;
    }
}
