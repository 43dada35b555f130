//! How far it is, on stderr: a bar on a terminal, a line now and then elsewhere.

use std::future::Future;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::voice::Voice;
use crate::app::{Phase, Snapshot};

const REDRAW: Duration = Duration::from_millis(100);
const LINE: Duration = Duration::from_secs(10);

/// Runs `work` to its end and shows meanwhile how far `look` says that it is.
pub(super) async fn shown<T>(
    voice: Voice,
    work: impl Future<Output = T>,
    look: impl Fn() -> Option<Snapshot>,
) -> T {
    if voice.quiet {
        return work.await;
    }
    let mut display = Display::new();
    tokio::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => {
                display.clear();
                return done;
            }
            () = tokio::time::sleep(REDRAW) => {
                if let Some(snapshot) = look() {
                    display.draw(&snapshot);
                }
            }
        }
    }
}

/// A bar, or, where there is no terminal, lines.
struct Display {
    bar: Option<ProgressBar>,
    last: Instant,
}

impl Display {
    fn new() -> Self {
        let on_terminal = std::io::stderr().is_terminal();
        Self {
            bar: on_terminal.then(ProgressBar::no_length),
            last: Instant::now(),
        }
    }

    fn draw(&mut self, snapshot: &Snapshot) {
        let Some(bar) = &self.bar else {
            if self.last.elapsed() >= LINE {
                self.last = Instant::now();
                eprintln!("{snapshot}");
            }
            return;
        };
        let known = snapshot.phase == Phase::Downloading && snapshot.total.is_some();
        let template = if known {
            "{bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta} {wide_msg}"
        } else {
            "{spinner} {bytes} {wide_msg}"
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        if let Some(total) = snapshot.total {
            bar.set_length(total);
        }
        bar.set_position(snapshot.done);
        let words = if known {
            snapshot.url.clone()
        } else {
            snapshot.to_string()
        };
        bar.set_message(words);
    }

    fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
