using Opt.Api.V1Alpha1;
using Opt.Trainer.Stores;
using Xunit;

namespace Opt.Trainer.Tests.Stores;

public sealed class StoreFactoryTests
{
    private static readonly AzureBlobStoreSpec Blob = new() { Account = "optckpt", Container = "opt-175b" };

    [Fact]
    public void A_store_of_two_kinds_is_refused() => AssertRefused("exactly one of directory and azureBlob", new() { AzureBlob = Blob, Directory = new() { Path = "/x" } }, new());

    [Fact]
    public void A_store_of_no_kind_is_refused() => AssertRefused("exactly one of directory and azureBlob", new(), new());

    [Fact]
    public void A_connection_string_of_another_account_is_refused() => AssertRefused("is of account \"other\"", new() { AzureBlob = Blob },
        new() { ConnectionString = "DefaultEndpointsProtocol=https;AccountName=other;AccountKey=AAAA;EndpointSuffix=core.windows.net" });

    [Fact]
    public void Text_that_is_no_connection_string_is_refused() => AssertRefused("is not an Azure storage connection string", new() { AzureBlob = Blob }, new() { ConnectionString = "hello" });

    [Fact]
    public void A_key_that_is_not_base64_is_refused() => AssertRefused("accountKey is not base64", new() { AzureBlob = Blob }, new() { AccountKey = "###" });

    [Fact]
    public void An_identity_over_plain_http_is_refused() => AssertRefused("https://", new() { AzureBlob = Blob with { Endpoint = "http://127.0.0.1:10000/x" } }, new());

    [Fact]
    public async Task The_public_endpoint_follows_from_the_account()
    {
        await using var store = StoreFactory.Open(new() { AzureBlob = Blob with { Prefix = "/a/b/" } }, new() { SasToken = "?sv=1&sig=secret" }, TimeProvider.System);
        Assert.Equal("https://optckpt.blob.core.windows.net/opt-175b/a/b", store.Description.Replace("//a", "/a", StringComparison.Ordinal));
        Assert.DoesNotContain("secret", store.Description, StringComparison.Ordinal);
    }

    [Fact]
    public void Credentials_are_read_from_variables_or_the_files_they_name()
    {
        var file = Path.GetTempFileName();
        File.WriteAllText(file, "key==\n");
        var read = StoreCredentials.Read(new Dictionary<string, string> { ["OPT_STORE_ACCOUNT_KEY_FILE"] = file }.GetValueOrDefault);
        File.Delete(file);
        Assert.Equal("key==", read.AccountKey);
        Assert.DoesNotContain("key==", read.ToString(), StringComparison.Ordinal);
        var error = Assert.Throws<FormatException>(() => StoreCredentials.Read(_ => "x"));
        Assert.Contains("set only one of", error.Message, StringComparison.Ordinal);
    }

    private static void AssertRefused(string message, StoreSpec spec, StoreCredentials credentials) =>
        Assert.Contains(message, Assert.Throws<FormatException>(() => StoreFactory.Open(spec, credentials, TimeProvider.System)).Message, StringComparison.Ordinal);
}
