//! What `fetch --from-file` reads: a line for each artifact, `URL [CHECKSUM [NAME]]`. Maven coordinates may stand
//! for a URL.

use std::io::Read;
use std::path::Path;

use crate::app::{Error, Order};
use crate::fault::Reader;

/// What stands for a checksum where there is none: a word that is not a checksum must not pass for a name, or a mistyped
/// one would be no checksum at all.
const NONE: &str = "-";

/// Reads a list; `-` is standard input. A line that cannot be taken is an error, and none of the others is fetched.
pub(super) fn read(file: &Path, repository: Option<&str>) -> Result<Vec<Order>, Error> {
    let wrong = |why: String| {
        Error::Setting(format!(
            "the list {}: {why}; use lines of URL [CHECKSUM [NAME]], with - for no checksum",
            file.display()
        ))
    };
    let mut text = String::new();
    let read = if file == Path::new("-") {
        std::io::stdin().read_to_string(&mut text).map(drop)
    } else {
        std::fs::read_to_string(file).map(|read| text = read)
    };
    read.map_err(|e| wrong(e.to_string()))?;
    let mut orders = Vec::new();
    for (n, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let order = order(line, repository);
        orders
            .push(order.map_err(|e| wrong(format!("line {}: {}", n + 1, Reader::Fetch.line(&e))))?);
    }
    if orders.is_empty() {
        return Err(wrong("it contains no URL".to_owned()));
    }
    Ok(orders)
}

fn order(line: &str, repository: Option<&str>) -> Result<Order, Error> {
    let cut = |text| match str::split_once(text, char::is_whitespace) {
        Some((word, rest)) => (word, rest.trim_start()),
        None => (text, ""),
    };
    let (url, rest) = cut(line);
    let (checksum, name) = cut(rest);
    let name = Some(name).filter(|name| !name.is_empty());
    let checksum = Some(checksum).filter(|word| !word.is_empty() && *word != NONE);
    Order::new(url, repository, checksum, name)
}
