use tonic::transport::Server;
use crate::volume::Volumes;
use crate::csi::node; //~ admin may not name csi
