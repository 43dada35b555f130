//! `war-vol fetch`.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

use serde_json::{Value, json};

use super::args::{Fetch, Output};
use super::voice::{self, Report, Voice};
use super::{exit, list, progress};
use crate::app::{Error, Fetcher, Order};
use crate::artifact::Bytes;

pub(super) async fn run(args: &Fetch, voice: Voice) -> Result<Report, Error> {
    let orders = orders(args)?;
    let fetcher = Fetcher::new(&args.downloading, &args.secrets, args.resume)?;
    let output = args.file.as_deref();
    if let ([order], None) = (&*orders, &args.from_file) {
        let (text, data) = one(&fetcher, order, output, voice).await?;
        return Ok(Report::done(text, data));
    }
    suits_several(&orders, output)?;
    fetcher.suits(&orders)?;
    Ok(several(&fetcher, &orders, output, voice).await)
}

/// What was typed and what the list names: all of it is read before anything is fetched.
fn orders(args: &Fetch) -> Result<Vec<Order>, Error> {
    let checksum = args.checksum.as_deref();
    if checksum.is_some() && args.urls.len() > 1 {
        return Err(Error::Setting(
            "--checksum applies to one URL, but several are given; list each with its checksum in a --from-file list"
                .to_owned(),
        ));
    }
    let repository = args.repository.as_deref();
    let typed = args.urls.iter();
    let typed = typed.map(|url| Order::new(url, repository, checksum, None));
    let mut orders = typed.collect::<Result<Vec<_>, _>>()?;
    if let Some(file) = &args.from_file {
        orders.extend(list::read(file, repository)?);
    }
    Order::check_repository(&orders, repository)?;
    Ok(orders)
}

/// Several go to a directory, and each needs a name of its own there.
fn suits_several(orders: &[Order], output: Option<&Path>) -> Result<(), Error> {
    if let Some(path) = output.filter(|path| !path.is_dir()) {
        return Err(Error::Setting(format!(
            "-o {} is not a directory, which several URLs need; create it first, or fetch one URL",
            path.display()
        )));
    }
    let mut names = BTreeSet::new();
    for order in orders {
        let name = order.name().map_err(|_| {
            Error::Setting(format!(
                "{} has no file name, which several URLs need; name the file in a --from-file list",
                order.url()
            ))
        })?;
        let name = name.to_string();
        if let Some(twice) = names.replace(name) {
            return Err(Error::Setting(format!(
                "two URLs have the file name \"{twice}\"; give one of them another name in a --from-file list"
            )));
        }
    }
    Ok(())
}

async fn one(
    fetcher: &Fetcher,
    order: &Order,
    output: Option<&Path>,
    voice: Voice,
) -> Result<(String, Value), Error> {
    let watched = OnceLock::new();
    let work = fetcher.fetch(order, output, |progress| {
        let _ = watched.set(Arc::clone(progress));
    });
    let fetched = progress::shown(voice, work, || Some(watched.get()?.snapshot())).await?;
    let path = fetched.path.display().to_string();
    if fetched.was_there {
        voice.remark(&format!("{path} already exists and has the checksum"));
    }
    Ok((
        format!("{}  {path}  ({})", fetched.sha256, Bytes(fetched.size)),
        json!({
            "path": path, "digest": fetched.sha256, "size": fetched.size, "downloaded": !fetched.was_there,
        }),
    ))
}

/// One after the other; what fails is said and does not keep the next from its turn.
async fn several(
    fetcher: &Fetcher,
    orders: &[Order],
    output: Option<&Path>,
    voice: Voice,
) -> Report {
    let (mut fetched, mut failed) = (Vec::new(), Vec::new());
    let mut code = None;
    for order in orders {
        match one(fetcher, order, output, voice).await {
            Ok((text, data)) => {
                if voice.output == Output::Text {
                    voice.result(&text);
                }
                fetched.push(data);
            }
            Err(error) => {
                let line = voice.failure(&error);
                let mut data = voice::of(&error, &line);
                data["url"] = order.url().into();
                failed.push(data);
                code.get_or_insert(exit::exit(error.fault()));
            }
        }
    }
    Report {
        text: String::new(),
        data: json!({ "fetched": fetched, "failed": failed }),
        code: code.unwrap_or(ExitCode::SUCCESS),
    }
}
