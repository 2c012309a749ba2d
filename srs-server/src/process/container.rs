//! Whether the process runs in a container.

use std::{fs, path::Path};

/// Files that Docker and Podman put into each container.
const MARKS: [&str; 2] = ["/.dockerenv", "/run/.containerenv"];
/// What the names of containers' control groups have in them.
const GROUPS: [&str; 4] = ["docker", "kubepods", "containerd", "libpod"];

/// Whether this is a container, by the marks that its makers leave.
pub(super) fn is_inside() -> bool {
    // With its first process the container ends, whoever made it.
    std::process::id() == 1
        || MARKS.iter().any(|mark| Path::new(mark).exists())
        || fs::read_to_string("/proc/1/cgroup").is_ok_and(|groups| is_of_container(&groups))
}

fn is_of_container(groups: &str) -> bool {
    GROUPS.iter().any(|name| groups.contains(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_groups_tell_a_container() {
        assert!(is_of_container("1:name=systemd:/docker/4f7a\n0::/docker/4f7a\n"));
        assert!(is_of_container("0::/kubepods/besteffort/pod1/4f7a\n"));
        assert!(!is_of_container("1:name=systemd:/init.scope\n0::/init.scope\n"));
        assert!(!is_of_container("0::/\n"));
    }
}
