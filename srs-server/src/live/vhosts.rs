//! The virtual hosts, with ids that stay while the server runs.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Instant,
};

use srs_config::{Config, DEFAULT_VHOST};

use super::Meter;

/// A virtual host as it is configured now.
#[derive(Debug)]
pub struct Vhost {
    /// Its id in the API: the same for its name as long as the server runs.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its settings.
    pub settings: srs_config::Vhost,
    /// What its clients receive and send: one for its name as long as the server runs.
    pub meter: Arc<Meter>,
}

/// The configuration in force and its vhosts. A reload replaces both; who began before keeps what
/// it began with.
#[derive(Debug)]
pub struct Vhosts {
    current: RwLock<Current>,
    known: Mutex<HashMap<String, Known>>,
}

/// What stays of a vhost, whatever the configuration says.
#[derive(Debug)]
struct Known {
    id: String,
    meter: Arc<Meter>,
}

#[derive(Debug, Clone)]
struct Current {
    config: Arc<Config>,
    vhosts: Arc<[Arc<Vhost>]>,
}

impl Vhosts {
    /// The vhosts of `config`; `id` names new ones.
    pub fn new(config: Config, id: impl FnMut() -> String) -> Self {
        let mut known = HashMap::new();
        let current = RwLock::new(Current::new(config, &mut known, id));
        Self { current, known: Mutex::new(known) }
    }

    /// Puts another configuration into force for those who come from now on.
    pub fn replace(&self, config: Config, id: impl FnMut() -> String) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let current = Current::new(config, &mut known, id);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = current;
    }

    /// The configuration in force.
    pub fn config(&self) -> Arc<Config> {
        self.current().config
    }

    /// All vhosts, in the order of the configuration.
    pub fn list(&self) -> Arc<[Arc<Vhost>]> {
        self.current().vhosts
    }

    /// The vhost of clients that ask for `name`: that one, or else the default one. `None` where
    /// neither is configured, or the one that was found is disabled.
    pub fn find(&self, name: &str) -> Option<Arc<Vhost>> {
        let current = self.current();
        let find = |name: &str| current.vhosts.iter().find(|vhost| vhost.name == name);
        let vhost = find(name).or_else(|| find(DEFAULT_VHOST))?;
        vhost.settings.enabled.then(|| vhost.clone())
    }

    /// Takes a sample of what each vhost's clients receive and send.
    pub fn sample(&self, now: Instant) {
        for vhost in self.list().iter() {
            vhost.meter.sample(now);
        }
    }

    /// Bytes of payload in one RTMP chunk that is sent to clients of `vhost`.
    pub fn chunk_size(&self, vhost: &Vhost) -> u32 {
        vhost.settings.chunk_size.unwrap_or_else(|| self.current().config.chunk_size)
    }

    fn current(&self) -> Current {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Current {
    fn new(
        config: Config,
        known: &mut HashMap<String, Known>,
        mut id: impl FnMut() -> String,
    ) -> Self {
        let vhosts = config
            .vhosts
            .iter()
            .map(|vhost| {
                let new = || Known { id: id(), meter: Arc::default() };
                let known = known.entry(vhost.name.clone()).or_insert_with(new);
                Arc::new(Vhost {
                    id: known.id.clone(),
                    name: vhost.name.clone(),
                    settings: vhost.block.clone(),
                    meter: known.meter.clone(),
                })
            })
            .collect();
        Self { config: Arc::new(config), vhosts }
    }
}

#[cfg(test)]
mod tests {
    use srs_config::Named;

    use super::*;

    fn config(vhosts: &[(&str, bool)]) -> Config {
        let mut config = Config::default();
        for &(name, enabled) in vhosts {
            let mut vhost = Named::new(name, srs_config::Vhost::default());
            vhost.enabled = enabled;
            config.vhosts.push(vhost);
        }
        config
    }

    fn vhosts(names: &[(&str, bool)]) -> Vhosts {
        let mut ids = 0..;
        Vhosts::new(config(names), || format!("id{}", ids.next().unwrap()))
    }

    #[test]
    fn an_unknown_name_means_the_default_vhost_where_there_is_one() {
        let both = vhosts(&[("a.example", true), (DEFAULT_VHOST, true)]);
        assert_eq!(both.find("a.example").unwrap().name, "a.example");
        assert_eq!(both.find("b.example").unwrap().name, DEFAULT_VHOST);
        assert!(vhosts(&[("a.example", true)]).find("b.example").is_none());
        assert!(vhosts(&[("a.example", false), (DEFAULT_VHOST, true)]).find("a.example").is_none());
    }

    #[test]
    fn ids_stay_over_a_reload() {
        let vhosts = vhosts(&[("a", true), ("b", true)]);
        vhosts.replace(config(&[("c", true), ("b", true)]), || "new".to_owned());
        let ids: Vec<_> = vhosts.list().iter().map(|vhost| vhost.id.clone()).collect();
        assert_eq!(ids, ["new", "id1"]);
    }
}
