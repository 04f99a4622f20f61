//! The reverse proxies whose word counts about where a client is.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;

/// Addresses and ranges of addresses of reverse proxies; by default there are none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// Whether an address is that of one of them.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|range| range.contains(&address))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromStr for TrustedProxies {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let ranges = text.split(',').map(str::trim).filter(|range| !range.is_empty());
        ranges.map(|range| parse_range(range).ok_or(())).collect::<Result<_, _>>().map(Self)
    }
}

/// A range, or an address, which is a range of one.
fn parse_range(text: &str) -> Option<IpNet> {
    match text.parse::<IpAddr>() {
        Ok(address) => Some(address.to_canonical().into()),
        Err(_) => text.parse::<IpNet>().ok().map(|range| range.trunc()),
    }
}

impl fmt::Display for TrustedProxies {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ranges: Vec<_> = self.0.iter().map(ToString::to_string).collect();
        formatter.write_str(&ranges.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists() {
        for (text, expected) in [
            ("", Ok("")),
            ("10.0.0.1", Ok("10.0.0.1/32")),
            ("10.1.2.3/8, ::1,fd00::/8 ,", Ok("10.0.0.0/8, ::1/128, fd00::/8")),
            ("::ffff:10.0.0.1", Ok("10.0.0.1/32")),
            ("0.0.0.0/0", Ok("0.0.0.0/0")),
            ("proxy.example", Err(())),
            ("10.0.0.0/33", Err(())),
            ("10.0.0.0-10.0.0.9", Err(())),
            ("10.0.0.1:80", Err(())),
            ("10.0.0", Err(())),
        ] {
            let parsed = text.parse::<TrustedProxies>().map(|proxies| proxies.to_string());
            assert_eq!(parsed, expected.map(str::to_owned), "{text}");
        }
    }

    #[test]
    fn an_address_is_in_a_range_however_it_is_written() {
        let proxies: TrustedProxies = "10.0.0.0/8, fd00::/8".parse().expect("ranges");
        for (address, expected) in [
            ("10.255.0.1", true),
            ("::ffff:10.1.1.1", true),
            ("11.0.0.1", false),
            ("fd12::1", true),
            ("fe80::1", false),
        ] {
            assert_eq!(proxies.contains(address.parse().expect("an address")), expected, "{address}");
        }
    }
}
