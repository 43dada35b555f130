use crate::app::App;
use crate::config::Config;
use crate::csi::client::Client;
use crate::csi::node; //~ cli may not name csi (crate::csi::node)
use crate::csi; //~ cli may not name csi (crate::csi)
use crate::volume::Volumes; //~ cli may not name volume
