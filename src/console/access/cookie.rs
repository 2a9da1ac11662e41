//! The cookie that holds a session's id.

use axum::http::{HeaderMap, HeaderValue, header};

/// How the cookie is called and kept.
#[derive(Debug, Clone, Copy)]
pub(in crate::console) struct Cookie {
    name: &'static str,
    flags: &'static str,
}

impl Cookie {
    /// Over TLS, browsers send it over TLS only, and take one of that name from nobody but this host.
    pub(in crate::console) const fn new(behind_tls: bool) -> Self {
        if behind_tls {
            Self {
                name: "__Host-restore-reconciler",
                flags: "Path=/; HttpOnly; SameSite=Strict; Secure",
            }
        } else {
            Self {
                name: "restore-reconciler",
                flags: "Path=/; HttpOnly; SameSite=Strict",
            }
        }
    }

    /// The session's id. Two of them are none: somebody else has planted one.
    pub(in crate::console) fn read<'h>(&self, headers: &'h HeaderMap) -> Option<&'h str> {
        let mut found = headers
            .get_all(header::COOKIE)
            .into_iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .filter(|(name, _)| *name == self.name);
        let (_, id) = found.next()?;
        found.next().is_none().then_some(id)
    }

    /// What makes the browser keep it until it is closed; the session may end before.
    pub(in crate::console) fn set(&self, id: &str) -> Option<HeaderValue> {
        HeaderValue::from_str(&format!("{}={id}; {}", self.name, self.flags)).ok()
    }

    /// What makes the browser forget it.
    pub(in crate::console) fn forget(&self) -> Option<HeaderValue> {
        HeaderValue::from_str(&format!("{}=; Max-Age=0; {}", self.name, self.flags)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[&'static str]) -> Option<String> {
        let headers = lines
            .iter()
            .map(|line| (header::COOKIE, HeaderValue::from_static(line)))
            .collect();
        Cookie::new(false).read(&headers).map(str::to_owned)
    }

    #[test]
    fn one_cookie_is_read_and_two_are_none() {
        let id = Some("x1".to_owned());
        assert_eq!(read(&["restore-reconciler=x1"]), id);
        assert_eq!(read(&["a=b; restore-reconciler=x1;c"]), id);
        assert_eq!(read(&["a=b", "restore-reconciler=x1"]), id);
        assert_eq!(
            read(&["restore-reconciler=x1; restore-reconciler=x2"]),
            None
        );
        assert_eq!(
            read(&["restore-reconciler=x1", "restore-reconciler=x1"]),
            None
        );
        assert_eq!(read(&["Restore-Reconciler=x1"]), None);
        assert_eq!(read(&["__Host-restore-reconciler=x1"]), None);
        assert_eq!(read(&[]), None);
    }
}
