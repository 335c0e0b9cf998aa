using Azure;
using Azure.Core;
using Azure.Core.Pipeline;
using Azure.Identity;
using Azure.Storage;
using Azure.Storage.Blobs;
using Opt.Api.V1Alpha1;

namespace Opt.Trainer.Stores;

/// <summary>Opens the store of a spec. Nothing is asked of it yet; <see cref="ICheckpointStore.CheckAsync"/> does.</summary>
public static class StoreFactory
{
    /// <param name="directory">Overrides directory.path, where the volume is mounted elsewhere.</param>
    /// <param name="createRoot">Create a missing directory: for a machine of one's own, not for a pod whose mount may be missing.</param>
    /// <exception cref="FormatException">The spec or the credentials cannot be used; the message names the field.</exception>
    public static ICheckpointStore Open(StoreSpec spec, StoreCredentials credentials, TimeProvider time, string? directory = null, bool createRoot = false, RetryOptions? retry = null, long? uploadBytesPerSecond = null)
    {
        var upload = uploadBytesPerSecond is { } limit ? new Bandwidth(limit, time) : null;
        var policy = new RetryPolicy(retry ?? new(), time, Random.Shared.NextDouble);
        return (spec.Directory, spec.AzureBlob) switch
        {
            ({ } folder, null) => new DirectoryStore(directory ?? folder.Path, policy, createRoot, upload),
            (null, { } blob) => new AzureBlobStore(Container(blob, credentials, policy.Options), blob.Prefix, policy, new() { Upload = upload }, time),
            _ => throw new FormatException("checkpoint.store: set exactly one of directory and azureBlob"),
        };
    }

    private static BlobContainerClient Container(AzureBlobStoreSpec spec, StoreCredentials credentials, RetryOptions retry)
    {
        var options = new BlobClientOptions { Transport = new HttpClientTransport(new HttpClient(Handler(), disposeHandler: true)) };
        options.Retry.MaxRetries = 0;
        options.Retry.NetworkTimeout = retry.AttemptTimeout;
        if (credentials.ConnectionString is { } text) return ByConnectionString(spec, text, options);
        var uri = Endpoint(spec);
        if (credentials.SasToken is { } sas) return new(uri, new AzureSasCredential(sas.TrimStart('?')), options);
        if (credentials.AccountKey is { } key) return new(uri, Shared(spec, key), options);
        if (uri.Scheme != Uri.UriSchemeHttps) throw new FormatException($"checkpoint.store.azureBlob.endpoint: \"{spec.Endpoint}\" must begin with https:// for a workload identity; plain http works with a secretRef");
        return new(uri, new ChainedTokenCredential(new WorkloadIdentityCredential(), new ManagedIdentityCredential(ManagedIdentityId.SystemAssigned)), options);
    }

    private static SocketsHttpHandler Handler() => new()
    {
        ConnectTimeout = TimeSpan.FromSeconds(10),
        PooledConnectionLifetime = TimeSpan.FromMinutes(10),
        MaxConnectionsPerServer = 64,
    };

    private static BlobContainerClient ByConnectionString(AzureBlobStoreSpec spec, string text, BlobClientOptions options)
    {
        try
        {
            var client = new BlobContainerClient(text, spec.Container, options);
            return client.AccountName == spec.Account
                ? client
                : throw new FormatException($"the connection string is of account \"{client.AccountName}\", but checkpoint.store.azureBlob.account is \"{spec.Account}\"");
        }
        catch (Exception e) when (e is FormatException or ArgumentException && !e.Message.StartsWith("the connection string", StringComparison.Ordinal))
        {
            throw new FormatException("the Secret's connectionString is not an Azure storage connection string (AccountName=...;AccountKey=...;...)", e);
        }
    }

    private static StorageSharedKeyCredential Shared(AzureBlobStoreSpec spec, string key)
    {
        var bytes = new byte[key.Length];
        return Convert.TryFromBase64String(key, bytes, out _) ? new(spec.Account, key) : throw new FormatException("the Secret's accountKey is not base64");
    }

    private static Uri Endpoint(AzureBlobStoreSpec spec)
    {
        var text = (spec.Endpoint ?? $"https://{spec.Account}.blob.core.windows.net").TrimEnd('/');
        return Uri.TryCreate($"{text}/{spec.Container}", UriKind.Absolute, out var uri) && uri.Scheme is "https" or "http"
            ? uri
            : throw new FormatException($"checkpoint.store.azureBlob.endpoint: \"{spec.Endpoint}\" is not an http or https URL");
    }
}
