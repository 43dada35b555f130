//! `war-vol policy check`.

use std::process::ExitCode;

use serde_json::json;

use super::exit;
use super::policy_args::PolicyCheck;
use super::voice::Report;
use crate::app::{Error, Judged, Question};
use crate::fault::Reader;

pub(super) fn run(args: &PolicyCheck) -> Result<Report, Error> {
    let question = Question {
        namespace: args.namespace.as_deref(),
        service_account: &args.service_account,
        of_claim: args.claim,
        repository: args.repository.as_deref(),
        checksum: args.checksum.as_deref(),
    };
    let judged = question.ask(&args.policy, &args.urls)?;
    let file = args.policy.display();
    let text = match judged.is_empty() {
        true => format!("{file} is a valid policy"),
        false => judged.iter().map(line).collect::<Vec<_>>().join("\n"),
    };
    let refused = judged.iter().find_map(|one| one.refused.as_ref());
    Ok(Report {
        text,
        data: json!({ "judged": judged.iter().map(data).collect::<Vec<_>>() }),
        code: refused.map_or(ExitCode::SUCCESS, |denied| exit::exit(denied.fault())),
    })
}

fn line(judged: &Judged) -> String {
    let by = judged.by.as_deref().unwrap_or("the policy");
    match &judged.refused {
        None => format!("allowed  {}  by {by}", judged.url),
        Some(why) => format!("refused  {}  {}", judged.url, Reader::Volume.line(why)),
    }
}

fn data(judged: &Judged) -> serde_json::Value {
    let why = judged.refused.as_ref().map(|why| Reader::Volume.line(why));
    json!({ "url": judged.url, "allowed": why.is_none(), "by": judged.by, "why": why })
}
