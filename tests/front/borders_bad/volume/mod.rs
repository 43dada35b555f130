mod direct;

use super::cluster; //~ volume may not name cluster
use self::super::source; //~ volume may not name source
use super::store;
