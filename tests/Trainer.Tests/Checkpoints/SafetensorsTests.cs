using System.Buffers.Binary;
using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Opt.Api;
using Opt.Trainer.Checkpoints.Safetensors;
using Xunit;

namespace Opt.Trainer.Tests.Checkpoints;

public sealed class SafetensorsTests
{
    private static readonly bool Soak = Environment.GetEnvironmentVariable("OPT_SOAK") == "1";

    [Fact]
    public void A_header_reads_back_as_it_was_written() => Prop.ForAll(Tensors().ToArbitrary(), tensors =>
    {
        var (written, bytes) = SafetensorsHeader.Create(tensors, new Dictionary<string, string> { ["format"] = "pt", ["a"] = "b\n\u00e9" });
        var read = SafetensorsHeader.Parse(bytes, written.FileBytes);
        // Empty tensors at one place have no order of their own.
        Assert.Equal(written.Tensors.OrderBy(t => t.Name, StringComparer.Ordinal), read.Tensors.OrderBy(t => t.Name, StringComparer.Ordinal));
        Assert.Equal(written.Metadata, read.Metadata);
        Assert.Equal(0, read.DataStart % 8);
    }).QuickCheckThrowOnFailure();

    /// <summary>Bytes as the reference implementation writes them (safetensors 0.4, one fp32 tensor of shape [2]).</summary>
    [Fact]
    public void A_file_of_the_reference_implementation_is_understood()
    {
        var json = """{"__metadata__":{"format":"pt"},"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"""u8;
        var tensor = Assert.Single(SafetensorsHeader.Parse(Frame(json), 8 + json.Length + 8).Tensors);
        Assert.Equal(("w", SafetensorsDtype.F32, 0, 8), (tensor.Name, tensor.Dtype, tensor.Begin, tensor.End));
    }

    [Theory]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}""", 8, "begins at 4")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}}""", 6, "begins at 2")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}""", 8, "appears twice")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}""", 4, "do not fit its shape")]
    [InlineData("""{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}""", 4, "not a list of whole numbers")]
    [InlineData("""{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,4]}}""", 4, "do not fit its shape")]
    [InlineData("""{"a":{"dtype":"f32","shape":[1],"data_offsets":[0,4]}}""", 4, "no known dtype")]
    [InlineData("""{"a":{"dtype":"10","shape":[1],"data_offsets":[0,4]}}""", 4, "no known dtype")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}""", 5, "its header says")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}""", 4, "not JSON")]
    [InlineData("""[]""", 0, "not an object")]
    [InlineData("""{"__metadata__":{"a":1}}""", 0, "not a string")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0]}}""", 4, "two data_offsets")]
    public void A_header_that_is_not_right_is_refused_with_the_reason(string json, int dataBytes, string reason)
    {
        var bytes = Encoding.UTF8.GetBytes(json);
        var error = Assert.Throws<FormatException>(() => SafetensorsHeader.Parse(Frame(bytes), 8 + bytes.Length + dataBytes));
        Assert.Contains(reason, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_claimed_length_is_checked_before_memory_is_taken_for_it()
    {
        var bytes = new byte[16];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, ulong.MaxValue);
        Assert.Contains("claims a header of", Assert.Throws<FormatException>(() => SafetensorsHeader.Parse(bytes, 16)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Damaged_headers_are_refused_or_read_consistently_and_never_crash()
    {
        var random = new Random(20260101);
        var (header, good) = SafetensorsHeader.Create([("a", SafetensorsDtype.F32, [2, 3]), ("b", SafetensorsDtype.BF16, [5]), ("c", SafetensorsDtype.I64, [0])], new Dictionary<string, string> { ["k"] = "v" });
        for (var i = 0; i < (Soak ? 1_000_000 : 20_000); i++)
        {
            var bytes = Mutate(good, random);
            try
            {
                var read = SafetensorsHeader.Parse(bytes, header.FileBytes);
                Assert.Equal(header.FileBytes, read.FileBytes);
                Assert.Equal(read.DataBytes, read.Tensors.Sum(t => t.Bytes));
            }
            catch (FormatException)
            {
                // refused, as it should be
            }
        }
    }

    [Fact]
    public void A_file_is_written_and_read_tensor_by_tensor()
    {
        var path = Path.GetTempFileName();
        try
        {
            SafetensorsFile.Write(path, [("a", SafetensorsDtype.U8, [3_000_000, 3]), ("b", SafetensorsDtype.U8, [2])], null, (tensor, offset, part) =>
            {
                for (var i = 0; i < part.Length; i++) part[i] = (byte)((offset + i) % 251 + tensor.Name[0]);
            });
            using var file = SafetensorsFile.Open(path);
            var middle = new byte[1000];
            file.Read(file.Header.Tensors[0], 5_000_000, middle);
            Assert.All(middle.Select((value, i) => (value, i)), x => Assert.Equal((byte)((5_000_000 + x.i) % 251 + 'a'), x.value));
            Assert.Throws<ArgumentOutOfRangeException>(() => file.Read(file.Header.Tensors[1], 1, new byte[2]));
            File.AppendAllText(path, "x");
            Assert.Contains(path, Assert.Throws<FormatException>(() => SafetensorsFile.Open(path)).Message, StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(path);
        }
    }

    private static Gen<(string, SafetensorsDtype, EquatableList<long>)[]> Tensors() =>
        from shapes in Gen.ListOf(Gen.ListOf(Gen.Choose(0, 5)))
        from types in Gen.ArrayOf(Gen.Elements(Enum.GetValues<SafetensorsDtype>()), shapes.Count)
        select shapes.Zip(types).Select((t, i) => ($"t{i}", t.Second, (EquatableList<long>)[.. t.First.Take(4).Select(n => (long)n)])).ToArray();

    private static byte[] Mutate(byte[] good, Random random)
    {
        var bytes = (byte[])good.Clone();
        for (var changes = random.Next(1, 4); changes > 0; changes--)
        {
            // Digits and punctuation find more than random bytes, which mostly break the JSON.
            bytes[random.Next(bytes.Length)] = random.Next(3) == 0 ? (byte)random.Next(256) : (byte)"0123456789[]{},:\"-"[random.Next(18)];
        }

        return random.Next(8) == 0 ? bytes[..random.Next(bytes.Length)] : bytes;
    }

    private static byte[] Frame(ReadOnlySpan<byte> json)
    {
        var bytes = new byte[8 + json.Length];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, json.Length);
        json.CopyTo(bytes.AsSpan(8));
        return bytes;
    }
}
