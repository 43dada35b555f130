use crate::artifact::Digest; //~ fault may not name artifact
