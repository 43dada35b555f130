use tonic::{Request, Response};
use crate::volume::Volumes;
use crate::acquire::Flight; //~ csi may not name acquire
