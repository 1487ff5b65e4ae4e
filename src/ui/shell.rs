//! The user's shell, for lines that are meant to be typed.

/// The families of shells whose words differ.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Shell {
    /// sh, bash, zsh and their kin.
    #[default]
    Posix,
    /// fish.
    Fish,
    /// PowerShell.
    PowerShell,
}

impl Shell {
    /// Guesses from the environment: `SHELL` where it is set, PowerShell's own variable, else
    /// the platform's usual one. `variable` looks up the environment.
    pub fn detect(variable: impl Fn(&str) -> Option<String>, is_windows: bool) -> Self {
        let shell = variable("SHELL").unwrap_or_default();
        let name = shell.rsplit(['/', '\\']).next().unwrap_or_default();
        match name {
            "fish" => Self::Fish,
            "pwsh" | "pwsh.exe" | "powershell.exe" => Self::PowerShell,
            "" if is_windows || variable("PSModulePath").is_some() => Self::PowerShell,
            _ => Self::Posix,
        }
    }

    /// The shell this process was started from.
    pub fn of_process() -> Self {
        Self::detect(|name| std::env::var(name).ok(), cfg!(windows))
    }

    /// How a variable is set for what is typed next.
    pub fn set_variable(self, name: &str, value: &str) -> String {
        match self {
            Self::Posix => format!("export {name}={value}"),
            Self::Fish => format!("set -x {name} {value}"),
            Self::PowerShell => format!("$env:{name}=\"{value}\""),
        }
    }

    /// A word as it must be typed, quoted where that is needed.
    pub fn quote(self, word: &str) -> String {
        let is_plain = |c: char| c.is_alphanumeric() || "-_./:=,@%+~".contains(c);
        if !word.is_empty() && word.chars().all(is_plain) && !word.starts_with('~') {
            return word.to_owned();
        }
        match self {
            Self::Posix => format!("'{}'", word.replace('\'', r"'\''")),
            Self::Fish => format!("'{}'", word.replace('\\', r"\\").replace('\'', r"\'")),
            Self::PowerShell => format!("'{}'", word.replace('\'', "''")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_in_the_users_shell() {
        let table = [
            (Some("/bin/bash"), false, Shell::Posix, "export KEY=…"),
            (Some("/usr/bin/fish"), false, Shell::Fish, "set -x KEY …"),
            (Some("/usr/bin/pwsh"), false, Shell::PowerShell, "$env:KEY=\"…\""),
            (None, true, Shell::PowerShell, "$env:KEY=\"…\""),
            (None, false, Shell::Posix, "export KEY=…"),
        ];
        for (shell, is_windows, expected, line) in table {
            let look =
                |name: &str| (name == "SHELL").then(|| shell.map(ToOwned::to_owned)).flatten();
            let detected = Shell::detect(look, is_windows);
            assert_eq!(detected, expected);
            assert_eq!(detected.set_variable("KEY", "…"), line);
        }
        assert_eq!(Shell::Posix.quote("in.csv"), "in.csv");
        assert_eq!(Shell::Posix.quote("my table.csv"), "'my table.csv'");
        assert_eq!(Shell::Posix.quote("it's"), r"'it'\''s'");
        assert_eq!(Shell::PowerShell.quote("it's"), "'it''s'");
    }
}
