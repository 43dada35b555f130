use reqwest::Client;
use crate::{artifact::Reach, fault::Fault, metrics, telemetry};
use super::in_macro;
