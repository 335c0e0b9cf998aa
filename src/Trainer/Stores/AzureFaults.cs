using System.Net.Sockets;
using System.Xml;
using Azure;
using Azure.Identity;

namespace Opt.Trainer.Stores;

/// <summary>Says what an error of the Azure SDK means for someone who runs a job.</summary>
internal static class AzureFaults
{
    /// <param name="where">Container URL.</param>
    /// <param name="name">Object, or empty for the container.</param>
    public static StoreException Explain(string where, string name, Exception error)
    {
        var what = name.Length == 0 ? where : $"{where}: {name}";
        return error switch
        {
            StoreException store => store,
            AuthenticationFailedException e => new(StoreFault.Denied,
                $"{what}: no credential: set connectionString, sasToken or accountKey in the Secret of checkpoint.store.azureBlob.secretRef, or give the pod a workload identity ({FirstLine(e)})", e),
            RequestFailedException e => Explain(what, e),
            InvalidDataException or ArgumentException or XmlException => new(StoreFault.Transient, $"{what}: bytes were damaged on the way ({FirstLine(error)})", error),
            IOException or HttpRequestException or SocketException => new(StoreFault.Transient, $"{what}: {Root(error).Message}", error),
            AggregateException e => Explain(where, name, e.InnerException ?? new IOException(e.Message)),
            _ => new(StoreFault.Permanent, $"{what}: {FirstLine(error)}", error),
        };
    }

    private static StoreException Explain(string what, RequestFailedException e) => (e.Status, e.ErrorCode) switch
    {
        (0, _) => new(StoreFault.Transient, $"{what}: cannot be reached: {Root(e).Message}", e),
        (404, "ContainerNotFound") => new(StoreFault.NotFound, $"{what}: the container does not exist", e),
        (404, _) => new(StoreFault.NotFound, $"{what} does not exist", e),
        (416, _) => new(StoreFault.Damaged, $"{what} is shorter than it should be", e),
        (401 or 403, _) => new(StoreFault.Denied, $"{what}: access denied ({e.ErrorCode}): check the Secret's key, the SAS token's expiry and rights (racwdl), the clock, or the identity's role Storage Blob Data Contributor", e),
        (400, "Md5Mismatch") => new(StoreFault.Transient, $"{what}: bytes were damaged on the way", e),
        (408 or 429 or >= 500, _) => new(StoreFault.Transient, $"{what}: the service answered {e.Status} {e.ErrorCode}", e) { RetryAfter = RetryAfter(e) },
        (409, "ContainerBeingDeleted" or "AccountBeingCreated") => new(StoreFault.Transient, $"{what}: {e.ErrorCode}", e),
        _ => new(StoreFault.Permanent, $"{what}: the service answered {e.Status} {e.ErrorCode}: {FirstLine(e)}", e),
    };

    private static TimeSpan? RetryAfter(RequestFailedException e) =>
        e.GetRawResponse()?.Headers.TryGetValue("Retry-After", out var text) == true && double.TryParse(text, out var seconds) && seconds is >= 0 and < 3600
            ? TimeSpan.FromSeconds(seconds)
            : null;

    private static Exception Root(Exception e) => e.GetBaseException();

    private static string FirstLine(Exception e) => e.Message.Split('\n', 2)[0].Trim();
}
