using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using Azure;
using Azure.Storage;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;
using Azure.Storage.Blobs.Specialized;

namespace Opt.Trainer.Stores;

/// <summary>
/// Objects as block blobs of one container. Creation is "If-None-Match: *". Blocks go up in parallel with their MD5, each repeated on its
/// own; the blob appears when its block list is committed. Reads are ranged, continue where a connection broke or stalled, and
/// are checked by MD5 where the service computes it (up to 4 MiB). The SDK's own retries are off: <see cref="RetryPolicy"/> is the one.
/// </summary>
public sealed class AzureBlobStore(BlobContainerClient container, string prefix, RetryPolicy retry, AzureBlobStoreOptions options, TimeProvider time) : ICheckpointStore
{
    /// <summary>Largest range for which the service computes an MD5.</summary>
    private const int ServiceHashLimit = 4 << 20;

    private const int MaxBlocks = 10_000;
    private static readonly UploadTransferValidationOptions UploadMd5 = new() { ChecksumAlgorithm = StorageChecksumAlgorithm.MD5 };
    private static readonly DownloadTransferValidationOptions DownloadMd5 = new() { ChecksumAlgorithm = StorageChecksumAlgorithm.MD5 };
    private readonly string _prefix = prefix.Trim('/') is { Length: > 0 } folder ? folder + "/" : "";

    public string Description { get; } = $"{container.Uri.GetLeftPart(UriPartial.Path)}/{prefix}".TrimEnd('/');

    public Task<bool> TryCreateAsync(string name, ReadOnlyMemory<byte> content, CancellationToken ct) => RequestAsync(name, async attempt =>
    {
        var upload = new BlobUploadOptions { Conditions = new() { IfNoneMatch = ETag.All }, TransferValidation = UploadMd5 };
        try
        {
            await WithContainerAsync(() => Blob(name).UploadAsync(new BinaryData(content), upload, attempt), attempt);
            return true;
        }
        catch (RequestFailedException e) when (e.Status is 409 or 412 && e.ErrorCode is "BlobAlreadyExists" or "ConditionNotMet" or "UnauthorizedBlobOverwrite")
        {
            return false;
        }
    }, ct);

    public async Task WriteAsync(string name, IObjectContent content, CancellationToken ct)
    {
        var blob = Block(name);
        var blockBytes = Math.Max(options.BlockBytes, (int)Math.Min(int.MaxValue, (content.Length + MaxBlocks - 1) / MaxBlocks));
        var blocks = (int)((content.Length + blockBytes - 1) / blockBytes);
        var upload = Guid.NewGuid();
        var ids = Enumerable.Range(0, blocks).Select(i => BlockId(upload, i)).ToArray();
        using var buffers = new BufferPool(blockBytes);
        await System.Threading.Tasks.Parallel.ForAsync(0, blocks, new ParallelOptions { MaxDegreeOfParallelism = options.Parallelism, CancellationToken = ct }, async (i, stop) =>
        {
            using var lease = buffers.Rent();
            var part = lease.Memory[..(int)Math.Min(blockBytes, content.Length - (long)i * blockBytes)];
            if (options.Upload is { } limit) await limit.TakeAsync(part.Length, stop);
            content.Read((long)i * blockBytes, part.Span);
            await RequestAsync(name, async attempt => await WithContainerAsync(
                () => blob.StageBlockAsync(ids[i], lease.Stream(part.Length), new BlockBlobStageBlockOptions { TransferValidation = UploadMd5 }, attempt), attempt), stop);
        });
        await RequestAsync(name, async attempt => await WithContainerAsync(() => blob.CommitBlockListAsync(ids, cancellationToken: attempt), attempt), ct);
    }

    public Task<byte[]?> TryReadAsync(string name, int atMost, CancellationToken ct) => RequestAsync(name, async attempt =>
    {
        try
        {
            var answer = await Blob(name).DownloadContentAsync(attempt);
            var content = answer.Value.Content.ToMemory();
            // The service keeps the MD5 of what one request wrote; small objects are written so.
#pragma warning disable CA5351 // against damage on the way, not against people
            if (answer.Value.Details.ContentHash is { Length: > 0 } md5 && !MD5.HashData(content.Span).AsSpan().SequenceEqual(md5)) throw new InvalidDataException("the content does not have its MD5");
#pragma warning restore CA5351
            if (content.Length > atMost) throw new StoreException(StoreFault.Damaged, $"{Description}: {name} has {content.Length} bytes, more than the {atMost} it can have");
            return (byte[]?)content.ToArray();
        }
        catch (RequestFailedException e) when (e.Status == 404 && e.ErrorCode is "BlobNotFound" or "ContainerNotFound")
        {
            return null;
        }
    }, ct);

    public async Task ReadAsync(string name, long offset, Memory<byte> destination, CancellationToken ct)
    {
        var parts = (destination.Length + options.BlockBytes - 1) / options.BlockBytes;
        await System.Threading.Tasks.Parallel.ForAsync(0, parts, new ParallelOptions { MaxDegreeOfParallelism = options.Parallelism, CancellationToken = ct }, async (i, stop) =>
        {
            var from = i * options.BlockBytes;
            var part = destination[from..Math.Min(destination.Length, from + options.BlockBytes)];
            await HedgedRead.RunAsync((memory, hedge) => ReadPartAsync(name, offset + from, memory, hedge), part, options.HedgeAfter, time, stop);
        });
    }

    public async IAsyncEnumerable<StoredObject> ListAsync(string prefix, [EnumeratorCancellation] CancellationToken ct)
    {
        string? next = null;
        do
        {
            var marker = next;
            var page = await RequestAsync(prefix, attempt => PageAsync(prefix, marker, attempt), ct);
            foreach (var item in page?.Values ?? []) yield return new(item.Name[_prefix.Length..], item.Properties.ContentLength ?? 0, item.Properties.LastModified ?? default);
            next = page?.ContinuationToken;
        }
        while (!string.IsNullOrEmpty(next));
    }

    public Task DeleteAsync(string name, CancellationToken ct) => RequestAsync(name, async attempt =>
        await Blob(name).DeleteIfExistsAsync(DeleteSnapshotsOption.IncludeSnapshots, cancellationToken: attempt), ct);

    /// <summary>Nothing to do: the service forgets uncommitted blocks after a week.</summary>
    public Task DeleteAbandonedAsync(TimeSpan untouchedFor, CancellationToken ct) => Task.CompletedTask;

    public Task CheckAsync(CancellationToken ct) => RequestAsync("", async attempt =>
    {
        // A listing of one: it needs the right a restore needs, where reading the container's properties would need more.
        await WithContainerAsync(async () =>
        {
            await foreach (var _ in container.GetBlobsAsync(prefix: _prefix, cancellationToken: attempt).AsPages(pageSizeHint: 1)) return true;
            return true;
        }, attempt);
        return true;
    }, ct);

    public ValueTask DisposeAsync() => default;

    private BlobClient Blob(string name) => container.GetBlobClient(_prefix + StoreNames.Checked(name));

    private BlockBlobClient Block(string name) => container.GetBlockBlobClient(_prefix + StoreNames.Checked(name));

    /// <summary>Ids of one blob must have one length; the random part keeps blocks of an upload that was cut off apart from ours.</summary>
    private static string BlockId(Guid upload, int index)
    {
        Span<byte> id = stackalloc byte[20];
        upload.TryWriteBytes(id);
        BinaryPrimitives.WriteInt32BigEndian(id[16..], index);
        return Convert.ToBase64String(id);
    }

    private async Task<Page<BlobItem>?> PageAsync(string prefix, string? marker, CancellationToken ct)
    {
        try
        {
            await foreach (var page in container.GetBlobsAsync(prefix: _prefix + prefix, cancellationToken: ct).AsPages(marker)) return page;
        }
        catch (RequestFailedException e) when (e.ErrorCode == "ContainerNotFound")
        {
        }

        return null;
    }

    /// <summary>Fills the range over as many requests as it takes: each one goes on where the last one broke or stalled.</summary>
    private async Task ReadPartAsync(string name, long offset, Memory<byte> destination, CancellationToken ct)
    {
        var done = 0;
        await retry.ExecuteAsync($"{Description}: {name}", attempt => GuardAsync(name, async () =>
        {
            var rest = destination[done..];
            var whole = done == 0 && rest.Length <= ServiceHashLimit;
            var request = new BlobDownloadOptions { Range = new HttpRange(offset + done, rest.Length), TransferValidation = whole ? DownloadMd5 : null };
            using var answer = (await Blob(name).DownloadStreamingAsync(request, attempt)).Value;
            if (answer.Details.ContentLength < rest.Length) throw new StoreException(StoreFault.Damaged, $"{Description}: {name} ends {rest.Length - answer.Details.ContentLength} bytes too soon");
            await using var content = answer.Content;
            while (done < destination.Length)
            {
                var read = await ReadSomeAsync(name, content, destination[done..], attempt);
                if (read == 0) throw new StoreException(StoreFault.Transient, $"{Description}: {name} stopped {destination.Length - done} bytes early");
                done += read;
            }

            return true;
        }), ct);
    }

    /// <summary>One read with the stall watchdog.</summary>
    private async Task<int> ReadSomeAsync(string name, Stream content, Memory<byte> destination, CancellationToken ct)
    {
        using var stall = new CancellationTokenSource(retry.Options.StallTimeout, time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(ct, stall.Token);
        try
        {
            return await content.ReadAsync(destination, both.Token);
        }
        catch (OperationCanceledException e) when (stall.IsCancellationRequested && !ct.IsCancellationRequested)
        {
            throw new StoreException(StoreFault.Transient, $"{Description}: {name}: no byte for {retry.Options.StallTimeout.TotalSeconds:0.#} s", e);
        }
    }

    /// <summary>Repeats a request once after creating the container it found missing.</summary>
    private async Task<T> WithContainerAsync<T>(Func<Task<T>> request, CancellationToken ct)
    {
        try
        {
            return await request();
        }
        catch (RequestFailedException e) when (e.ErrorCode == "ContainerNotFound")
        {
            await container.CreateIfNotExistsAsync(cancellationToken: ct);
            return await request();
        }
    }

    private Task<T> RequestAsync<T>(string name, Func<CancellationToken, Task<T>> request, CancellationToken ct) =>
        retry.ExecuteAsync($"{Description}: {name}", attempt => GuardAsync(name, () => request(attempt)), ct);

    private async Task<T> GuardAsync<T>(string name, Func<Task<T>> request)
    {
        try
        {
            return await request();
        }
        catch (Exception e) when (e is not (OperationCanceledException or ArgumentException { ParamName: StoreNames.Parameter }))
        {
            throw AzureFaults.Explain(Description, name, e);
        }
    }
}
