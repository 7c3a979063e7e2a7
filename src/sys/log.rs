//! Where log messages go: to the journal, or to standard error.
//!
//! Under systemd standard error is a socket of the journal, and `JOURNAL_STREAM`
//! says which one. Where the two are the same, messages go to journald with
//! their fields (`METER=`, `ENDPOINT=`, …), otherwise as text to standard error,
//! with colours on a terminal alone. There are no log files.
//!
//! `SUNLEDGER_LOG` says what is logged: `info`, `debug`, or by module, as in
//! `info,sunledger::source=debug`.

use std::env;
use std::fs::File;
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::str::FromStr;

use tracing::Subscriber;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};
use tracing_subscriber::{EnvFilter, Registry, fmt};

/// The variable that says what is logged.
pub const FILTER_VARIABLE: &str = "SUNLEDGER_LOG";

/// What is logged where the variable is absent or empty.
const DEFAULT_FILTER: &str = "info";

/// How messages are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Lines for people, on standard error.
    Text,
    /// One JSON object a line, on standard error.
    Json,
    /// Fields, to journald.
    Journald,
}

/// Every format and its name on the command line.
pub const FORMATS: &[(&str, Format)] = &[
    ("text", Format::Text),
    ("json", Format::Json),
    ("journald", Format::Journald),
];

impl FromStr for Format {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = FORMATS.iter().find(|(known, _)| *known == name);
        found.map(|(_, format)| *format).ok_or_else(|| {
            let names: Vec<_> = FORMATS.iter().map(|(name, _)| *name).collect();
            format!("one of {}", names.join(", "))
        })
    }
}

/// Why logging did not start.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The variable does not describe a filter.
    #[error(
        "{FILTER_VARIABLE}=`{text}` is no log filter; write `info`, `debug` or `info,sunledger::source=debug`"
    )]
    Filter {
        /// What it says.
        text: String,
        /// What is wrong with it.
        source: ParseError,
    },
    /// The journal was asked for and does not answer.
    #[error(
        "journald does not answer; leave `--log-format journald` out where systemd does not run"
    )]
    Journald(#[source] io::Error),
    /// Logging was started before.
    #[error("logging was started twice")]
    Twice(#[source] TryInitError),
}

/// Starts logging for the whole process.
///
/// Without a format the journal is used where standard error is the journal,
/// and text everywhere else.
///
/// # Errors
///
/// A filter that cannot be read, a journal that was asked for by name and does
/// not answer, a second call.
pub fn init(format: Option<Format>) -> Result<(), LogError> {
    let filter = filter(env::var(FILTER_VARIABLE).ok().as_deref())?;
    let layer = match format {
        Some(Format::Journald) => journald().map_err(LogError::Journald)?,
        Some(Format::Json) => json(io::stderr),
        None if stderr_is_journal() => journald().unwrap_or_else(|_| on_stderr()),
        Some(Format::Text) | None => on_stderr(),
    };
    // The filter is the outermost layer: what it refuses costs nothing further in.
    Registry::default()
        .with(layer)
        .with(filter)
        .try_init()
        .map_err(LogError::Twice)
}

/// The filter that the variable describes.
fn filter(variable: Option<&str>) -> Result<EnvFilter, LogError> {
    let text = match variable.map(str::trim) {
        None | Some("") => DEFAULT_FILTER,
        Some(text) => text,
    };
    EnvFilter::builder()
        .parse(text)
        .map_err(|source| LogError::Filter {
            text: text.to_owned(),
            source,
        })
}

type BoxedLayer<S> = Box<dyn Layer<S> + Send + Sync>;

fn journald() -> io::Result<BoxedLayer<Registry>> {
    let layer = tracing_journald::layer()?
        // `METER=` rather than `F_METER=`: the names are ours and do not
        // collide with the journal's own.
        .with_field_prefix(None)
        .with_syslog_identifier("sunledger".to_owned());
    Ok(layer.boxed())
}

fn on_stderr() -> BoxedLayer<Registry> {
    text(io::stderr, io::stderr().is_terminal())
}

fn text<S, W>(writer: W, colours: bool) -> BoxedLayer<S>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    fmt::layer()
        .compact()
        .with_ansi(colours)
        .with_writer(writer)
        .boxed()
}

fn json<S, W>(writer: W) -> BoxedLayer<S>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    fmt::layer()
        .json()
        .flatten_event(true)
        .with_writer(writer)
        .boxed()
}

/// Whether standard error is the journal's own socket.
///
/// A variable alone proves nothing: a child whose output was redirected into a
/// file inherits it.
#[must_use]
pub fn stderr_is_journal() -> bool {
    env::var("JOURNAL_STREAM").is_ok_and(|stream| is_stream(&stream, io::stderr()))
}

/// Whether `stream`, written `device:inode`, is this descriptor.
fn is_stream(stream: &str, descriptor: impl AsFd) -> bool {
    let Some((device, inode)) = stream.split_once(':') else {
        return false;
    };
    let (Ok(device), Ok(inode)) = (device.parse::<u64>(), inode.parse::<u64>()) else {
        return false;
    };
    let metadata = descriptor
        .as_fd()
        .try_clone_to_owned()
        .and_then(|owned| File::from(owned).metadata());
    metadata.is_ok_and(|found| found.dev() == device && found.ino() == inode)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixStream;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Paper(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn written(layer: impl FnOnce(Paper) -> BoxedLayer<Registry>, filter_text: &str) -> String {
        let paper = Paper::default();
        let subscriber = Registry::default()
            .with(layer(paper.clone()))
            .with(filter(Some(filter_text)).unwrap());
        tracing::subscriber::with_default(subscriber, || {
            tracing::warn!(meter = "pcc", "No answer.");
            tracing::debug!("Not for everyone.");
        });
        let bytes = paper.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    fn text_on(paper: Paper) -> BoxedLayer<Registry> {
        text(move || paper.clone(), false)
    }

    fn json_on(paper: Paper) -> BoxedLayer<Registry> {
        json(move || paper.clone())
    }

    #[test]
    fn text_is_one_line_with_its_fields_and_no_colours() {
        let line = written(text_on, "");
        assert_eq!(line.lines().count(), 1, "{line}");
        assert!(
            line.contains("WARN") && line.contains("No answer. meter=\"pcc\""),
            "{line}"
        );
        assert!(!line.contains('\u{1b}'), "{line}");
    }

    #[test]
    fn json_is_one_object_a_line_with_the_fields_on_top() {
        let line = written(json_on, "");
        let object: serde_json::Value = serde_json::from_str(line.trim()).unwrap();
        assert_eq!(object["message"], "No answer.");
        assert_eq!(object["meter"], "pcc");
        assert_eq!(object["level"], "WARN");
    }

    #[test]
    fn the_variable_says_what_is_logged() {
        for (filter_text, lines) in [
            ("", 1),
            (" debug ", 2),
            ("error", 0),
            ("info,sunledger=debug", 2),
        ] {
            let logged = written(text_on, filter_text);
            assert_eq!(logged.lines().count(), lines, "{filter_text}: {logged}");
        }
    }

    #[test]
    fn a_filter_that_means_nothing_is_refused_with_an_example() {
        let error = filter(Some("sunledger=loud")).unwrap_err().to_string();
        assert!(
            error.starts_with("SUNLEDGER_LOG=`sunledger=loud` is no log filter"),
            "{error}"
        );
    }

    #[test]
    fn a_format_has_a_name() {
        assert_eq!("journald".parse(), Ok(Format::Journald));
        assert_eq!(
            "xml".parse::<Format>(),
            Err("one of text, json, journald".to_owned())
        );
    }

    #[test]
    fn the_journal_is_known_by_device_and_inode() {
        let (ours, other) = UnixStream::pair().unwrap();
        let stat = File::from(
            ours.try_clone()
                .unwrap()
                .as_fd()
                .try_clone_to_owned()
                .unwrap(),
        )
        .metadata()
        .unwrap();
        let stream = format!("{}:{}", stat.dev(), stat.ino());
        assert!(is_stream(&stream, &ours));
        assert!(!is_stream(&stream, &other), "inherited, but redirected");
        for nonsense in ["", "8", "8:", ":", "a:b", "8:1:2"] {
            assert!(!is_stream(nonsense, &ours), "{nonsense}");
        }
    }
}
