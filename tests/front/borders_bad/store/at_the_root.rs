use crate::Blob; //~ Blob is not in the table of borders
use crate::helpers::hex; //~ helpers is not in the table of borders
