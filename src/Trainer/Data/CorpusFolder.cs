using System.Security.Cryptography;
using Opt.Api;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;

namespace Opt.Trainer.Data;

/// <summary>Corpora as files in a folder.</summary>
internal static class CorpusFolder
{
    /// <summary>What all corpora of a spec hold, by their own metadata.</summary>
    /// <returns>Null when one cannot be read.</returns>
    public static EquatableList<CorpusDigest>? Digests(string root, DataSpec data)
    {
        try
        {
            return [.. data.Train.Concat(data.Validation).Select(c => c.Path).Distinct().Select(path => Corpus.ReadMetadata(Path.Combine(root, path)).ToDigest(path))];
        }
        catch (TrainerException)
        {
            return null;
        }
    }

    /// <summary>
    /// Copies a corpus unless the same one is there. The bytes are compared with their digest on the way, and PATH.json, without which there is no corpus,
    /// comes last and whole: a copy that was broken off is none.
    /// </summary>
    /// <returns>Bytes copied; 0 when it was there.</returns>
    /// <exception cref="TrainerException">Data: missing or damaged at the source.</exception>
    public static async Task<long> StageAsync(string from, string to, string path, CancellationToken ct)
    {
        var (source, target) = (Path.Combine(from, path), Path.Combine(to, path));
        var metadata = Corpus.ReadMetadata(source);
        if (File.Exists($"{target}.json") && Corpus.ReadMetadata(target) == metadata && new FileInfo($"{target}.bin") is { Exists: true } there && there.Length == 2 * metadata.Tokens) return 0;
        Directory.CreateDirectory(Path.GetDirectoryName(target)!);
        File.Delete($"{target}.json");
        var digest = await CopyAsync($"{source}.bin", $"{target}.bin", ct);
        if (digest != metadata.BytesDigest) throw new TrainerException(WorkerExit.Data, $"{source}.bin is damaged: its digest is {digest}, {source}.json says {metadata.BytesDigest}");
        await CopyAsync($"{source}.idx", $"{target}.idx", ct);
        await CopyAsync($"{source}.json", $"{target}.json", ct);
        return new FileInfo($"{target}.bin").Length;
    }

    /// <summary>Under another name until it is whole.</summary>
    /// <returns>SHA-256 of the bytes.</returns>
    private static async Task<string> CopyAsync(string from, string to, CancellationToken ct)
    {
        var part = $"{to}.{Guid.NewGuid():n}.part";
        try
        {
            using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            await using (var source = new FileStream(from, FileMode.Open, FileAccess.Read, FileShare.Read, 1, FileOptions.Asynchronous | FileOptions.SequentialScan))
            await using (var target = new FileStream(part, FileMode.CreateNew, FileAccess.Write, FileShare.None, 1, FileOptions.Asynchronous))
            {
                var buffer = new byte[4 << 20];
                for (int read; (read = await source.ReadAsync(buffer, ct)) > 0;)
                {
                    hash.AppendData(buffer, 0, read);
                    await target.WriteAsync(buffer.AsMemory(0, read), ct);
                }

                target.Flush(flushToDisk: true);
            }

            File.Move(part, to, overwrite: true);
            return Convert.ToHexStringLower(hash.GetHashAndReset());
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new TrainerException(WorkerExit.Data, $"{from} cannot be copied to {to}: {e.Message}", e);
        }
        finally
        {
            File.Delete(part);
        }
    }
}
