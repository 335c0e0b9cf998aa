using Opt.Api.V1Alpha1;
using Opt.Trainer.Stores;
using Xunit;

namespace Opt.Trainer.Tests.Stores;

public sealed class AzureBlobStoreTests(Azurite azurite) : StoreContract
{
    private static readonly RetryOptions Quick = new() { Attempts = 2, FirstDelay = TimeSpan.FromMilliseconds(10), AttemptTimeout = TimeSpan.FromSeconds(5) };

    protected override Task<ICheckpointStore> OpenAsync() => azurite.OpenStoreAsync();

    [Fact]
    public async Task An_unreachable_service_is_named_with_the_cause()
    {
        await using var store = await azurite.OpenStoreAsync(retry: Quick, endpoint: $"http://127.0.0.1:1/{Azurite.Account}");
        var error = await Assert.ThrowsAsync<StoreException>(() => store.CheckAsync(Ct));
        Assert.Equal(StoreFault.Transient, error.Fault);
        Assert.Contains("http://127.0.0.1:1/", error.Message, StringComparison.Ordinal);
        Assert.Contains("Connection refused", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_wrong_key_is_denied_with_advice_and_without_retries()
    {
        var endpoint = await azurite.EndpointAsync();
        var spec = new StoreSpec { AzureBlob = new() { Account = Azurite.Account, Container = "checkpoints", Endpoint = endpoint } };
        await using var store = StoreFactory.Open(spec, new() { AccountKey = Convert.ToBase64String(new byte[32]) }, TimeProvider.System);
        var error = await Assert.ThrowsAsync<StoreException>(() => store.CheckAsync(Ct));
        Assert.True(StoreFault.Denied == error.Fault, error.Message);
        Assert.Contains("check the Secret's key", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_account_key_opens_the_same_container_as_a_connection_string()
    {
        var endpoint = await azurite.EndpointAsync();
        var container = $"c{Guid.NewGuid():n}";
        await using var first = await azurite.OpenStoreAsync(container);
        await first.TryCreateAsync("log/1.json", new byte[] { 5 }, Ct);
        var spec = new StoreSpec { AzureBlob = new() { Account = Azurite.Account, Container = container, Prefix = "jobs/opt", Endpoint = endpoint } };
        await using var second = StoreFactory.Open(spec, new() { AccountKey = Azurite.Key }, TimeProvider.System);
        Assert.Equal(new byte[] { 5 }, await second.TryReadAsync("log/1.json", 10, Ct));
    }

    [Fact]
    public async Task A_shared_access_signature_opens_the_container_it_was_signed_for()
    {
        var endpoint = await azurite.EndpointAsync();
        var container = $"c{Guid.NewGuid():n}";
        await using var first = await azurite.OpenStoreAsync(container);
        await first.TryCreateAsync("log/1.json", new byte[] { 5 }, Ct);
        var signed = new Azure.Storage.Blobs.BlobContainerClient(Azurite.ConnectionString(endpoint), container)
            .GenerateSasUri(Azure.Storage.Sas.BlobContainerSasPermissions.All, TimeProvider.System.GetUtcNow().AddHours(1));
        var spec = new StoreSpec { AzureBlob = new() { Account = Azurite.Account, Container = container, Prefix = "jobs/opt", Endpoint = endpoint } };
        await using var second = StoreFactory.Open(spec, new() { SasToken = signed.Query }, TimeProvider.System);
        Assert.Equal(new byte[] { 5 }, await second.TryReadAsync("log/1.json", 10, Ct));
        Assert.False(await second.TryCreateAsync("log/1.json", new byte[] { 6 }, Ct));
    }
}
