using System.Text.Json;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;

namespace Opt.Trainer.Stores;

/// <summary>The store as the environment of an agent or worker says: a spec, the place of its volume, its credentials.</summary>
public sealed record StoreEnvironment
{
    public const string SpecVariable = "OPT_STORE";
    public const string DirectoryVariable = "OPT_STORE_DIRECTORY";

    /// <summary>Null when no store is set.</summary>
    public StoreSpec? Spec { get; init; }

    /// <summary>Where the directory of the spec is mounted, if elsewhere.</summary>
    public string? Directory { get; init; }

    public required StoreCredentials Credentials { get; init; }

    public static StoreEnvironment Read() => Read(Environment.GetEnvironmentVariable);

    /// <exception cref="FormatException">A variable cannot be used; the message names it.</exception>
    public static StoreEnvironment Read(Func<string, string?> variable) => new()
    {
        Spec = variable(SpecVariable) is { Length: > 0 } json ? Parse(json) : null,
        Directory = variable(DirectoryVariable) is { Length: > 0 } path ? path : null,
        Credentials = StoreCredentials.Read(variable),
    };

    /// <param name="spec">Of a plan; the environment's where null.</param>
    public ICheckpointStore Open(TimeProvider time, StoreSpec? spec = null, bool createRoot = false, RetryOptions? retry = null)
    {
        var chosen = spec ?? Spec ?? throw new FormatException($"{SpecVariable} is not set: no checkpoint store");
        return StoreFactory.Open(chosen, Credentials, time, chosen.Directory is null ? null : Directory, createRoot, retry);
    }

    private static StoreSpec Parse(string json)
    {
        try
        {
            return JsonSerializer.Deserialize(json, ProtocolJson.Default.StoreSpec) ?? throw new FormatException($"{SpecVariable} is null");
        }
        catch (JsonException e)
        {
            throw new FormatException($"{SpecVariable} is not a store: {e.Message}", e);
        }
    }
}
