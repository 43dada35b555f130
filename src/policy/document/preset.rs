//! What holds where no rule says otherwise.

/// The three policies to begin with: most artifact servers have private addresses, so these are never refused for that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Preset {
    /// Everything but what is the machine's or the cluster's own: loopback, link-local, multicast and broadcast
    /// addresses, cloud metadata, and the addresses of nodes and of the API server.
    #[default]
    Internal,
    /// The same addresses, and nothing but the URLs that rules list.
    Listed,
    /// Everything but link-local addresses and cloud metadata.
    Open,
}

impl Preset {
    /// Each with the word for it.
    pub(super) const WORDS: [(&str, Self); 3] = [
        ("internal", Self::Internal),
        ("listed", Self::Listed),
        ("open", Self::Open),
    ];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Internal => "internal",
            Self::Listed => "listed",
            Self::Open => "open",
        }
    }
}
