#[derive(serde::Deserialize)]
struct Answer {
    #[serde(with = "crate::store::hex")] //~ source may not name store
    digest: Digest,
    #[serde(rename = "nothing")]
    #[arg(value_parser = crate::config::size)] //~ source may not name config
    #[expect(dead_code, reason = "crate::store reads it")]
    size: u64,
}
