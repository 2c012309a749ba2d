//! Who may play and publish.

use crate::{
    Support::*,
    block::codec::{ClientRule, OnOff, Rules, Words},
};

block! {
    /// Which pages may play and publish: those of a host that ends with one of the names.
    Refer {
        /// Whether pages are looked at.
        enabled: bool = false, OnOff, NotYet;
        /// Pages that may do both.
        all: Vec<String> = Vec::new(), Words, NotYet;
        /// Pages that may publish.
        publish: Vec<String> = Vec::new(), Words, NotYet;
        /// Pages that may play.
        play: Vec<String> = Vec::new(), Words, NotYet;
    }
}

block! {
    /// Which addresses may play and publish. Who is denied is denied; else, where there are rules
    /// that allow, one of them must match; without any rule nobody may.
    Security {
        /// Whether addresses are looked at.
        enabled: bool = false, OnOff, NotYet;
        /// Who may.
        allow: Vec<ClientRule> = Vec::new(), Rules, NotYet;
        /// Who may not.
        deny: Vec<ClientRule> = Vec::new(), Rules, NotYet;
    }
}
