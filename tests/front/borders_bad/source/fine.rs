use reqwest::Client;
use crate::{artifact::AddressRule, fault::Fault, metrics, telemetry};
use super::in_macro;
