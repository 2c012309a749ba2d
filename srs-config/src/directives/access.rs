//! Who may play and publish.

use crate::{
    Support::*,
    block::codec::{ClientRule, OnOff, Rules, Words},
};

block! {
    /// Which pages may play and publish: those of a host that ends with one of the names.
    Refer {
        /// Whether pages are looked at.
        enabled: bool = false, OnOff, Same { test: "refer_denies_other_pages" };
        /// Pages that may do both.
        all: Vec<String> = Vec::new(), Words, Same { test: "refer_denies_other_pages" };
        /// Pages that may publish.
        publish: Vec<String> = Vec::new(), Words, Same { test: "refer_denies_other_pages" };
        /// Pages that may play.
        play: Vec<String> = Vec::new(), Words, Same { test: "refer_denies_other_pages" };
    }
}

block! {
    /// Which addresses may play and publish. Who is denied is denied; else, where there are rules
    /// that allow, one of them must match; without any rule nobody may.
    Security {
        /// Whether addresses are looked at.
        enabled: bool = false, OnOff, Same { test: "security_denies_by_address" };
        /// Who may.
        allow: Vec<ClientRule> = Vec::new(), Rules, Same { test: "security_denies_by_address" };
        /// Who may not.
        deny: Vec<ClientRule> = Vec::new(), Rules, Same { test: "security_denies_by_address" };
    }
}
