//! `war-vol serve`.

use serde_json::json;

use super::args::Serve;
use super::interrupted;
use super::voice::Report;
use crate::app::{self, Driver, Error};

pub(super) async fn run(args: &Serve) -> Result<Report, Error> {
    let driver = Driver::new(&args.serving, &args.storing, &args.downloading)?;
    if args.check {
        // It would keep no driver from starting.
        app::check_policy(&args.downloading)?;
        return Ok(Report::done(
            "the settings are valid",
            json!({ "checked": true }),
        ));
    }
    app::serve(driver, interrupted()).await?;
    Ok(Report::done("", json!({ "served": true })))
}
