namespace Opt.Trainer.Stores;

/// <summary>Secrets for a store; at most one is set. None: workload or managed identity.</summary>
public sealed record StoreCredentials
{
    public const string ConnectionStringVariable = "OPT_STORE_CONNECTION_STRING";
    public const string SasTokenVariable = "OPT_STORE_SAS_TOKEN";
    public const string AccountKeyVariable = "OPT_STORE_ACCOUNT_KEY";

    public string? ConnectionString { get; init; }
    public string? SasToken { get; init; }
    public string? AccountKey { get; init; }

    /// <summary>Keeps secrets out of logs.</summary>
    public override string ToString() => "StoreCredentials";

    /// <summary>From the environment: each variable holds the secret, or with the suffix _FILE names a file that does.</summary>
    /// <exception cref="FormatException">More than one is set, or a file cannot be read.</exception>
    public static StoreCredentials Read(Func<string, string?> variable)
    {
        var found = new StoreCredentials
        {
            ConnectionString = Secret(ConnectionStringVariable),
            SasToken = Secret(SasTokenVariable),
            AccountKey = Secret(AccountKeyVariable),
        };
        var count = new[] { found.ConnectionString, found.SasToken, found.AccountKey }.Count(s => s is not null);
        return count <= 1
            ? found
            : throw new FormatException($"set only one of {ConnectionStringVariable}, {SasTokenVariable}, {AccountKeyVariable}: {count} are");

        string? Secret(string name)
        {
            if (variable(name) is { Length: > 0 } value) return value.Trim();
            if (variable(name + "_FILE") is not { Length: > 0 } file) return null;
            return File.Exists(file) ? File.ReadAllText(file).Trim() : throw new FormatException($"{name}_FILE names \"{file}\", which does not exist");
        }
    }
}
