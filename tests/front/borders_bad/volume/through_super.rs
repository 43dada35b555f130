use super::super::source::Source; //~ volume may not name source
use super::super::volume::plan;
use super::plan::source;

mod deep {
    use super::super::super::unpack; //~ volume may not name unpack
    use super::super::source;
}
